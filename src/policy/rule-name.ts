/**
 * What a rule may be called, and with it a limit, which its rules are named after: the name stands in header fields.
 */
export const RULE_NAME = /^[!-~](?:[ -~]{0,62}[!-~])?$/
export const RULE_NAME_ALLOWED = "1 to 64 printable ASCII characters without a space at either end"
