/** Reads TOML 1.0. @throws {TomlError} with `line` and `column` */
export declare function parse(toml: string): Record<string, unknown>
