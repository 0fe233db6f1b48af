import { MAX_UNITS } from "../policy/policy-range.js"
import { ALGORITHMS } from "../types/algorithm.js"
import type { Field } from "./field.js"
import { accessList, duration, failMode, group, key, limit, policies, timeout } from "./limit-fields.js"

/** All that `sluice.toml` may say. */
export const CONFIG: Field & { readonly kind: "table" } = {
  kind: "table",
  about: "The configuration of sluice.",
  fields: {
    key_prefix: {
      kind: "text",
      pattern: /^[ -~]{0,64}$/,
      allowed: "up to 64 printable ASCII characters",
      fallback: "",
      env: "SLUICE_KEY_PREFIX",
      about: "Stands before every key, so that several deployments can share a store.",
    },
    defaults: {
      kind: "table",
      about: "What limits have that do not say otherwise.",
      fields: {
        algorithm: {
          kind: "choice",
          of: [...ALGORITHMS],
          fallback: "gcra",
          env: "SLUICE_ALGORITHM",
          about: "The algorithm of rules that name none.",
        },
        key: { ...key, fallback: "address" },
        cost: { kind: "whole", min: 0, max: MAX_UNITS, fallback: 1, about: "Units that a request costs." },
      },
    },
    limits: {
      kind: "named",
      of: limit,
      about: 'The limits, by name. "default" is for keys that have no limit of their own.',
    },
    groups: {
      kind: "named",
      of: group,
      about: "Several limits for one request, by a name that no limit has.",
    },
    allow: accessList("Clients that no limit counts."),
    deny: accessList("Clients that every limit refuses, also those that allow names."),
    tiers: {
      kind: "named",
      about: "Plans, by name.",
      of: { kind: "table", about: "A plan.", fields: { limits: policies } },
    },
    tenants: {
      kind: "named",
      about: "Customers, by name.",
      of: {
        kind: "table",
        about: "A customer: on a plan, with policies of its own before those of the plan.",
        fields: {
          tier: { kind: "text", pattern: /^[ -~]+$/, allowed: "the name of a tier", about: "The plan's name." },
          limits: policies,
        },
      },
    },
    headers: {
      kind: "table",
      about: "The fields that tell clients about their limit.",
      fields: {
        styles: {
          kind: "list",
          items: "styles",
          minItems: 0,
          of: {
            kind: "choice",
            of: ["draft-11", "draft-7", "draft-6", "legacy"],
            about: "A version of the draft, or X-RateLimit-*.",
          },
          fallback: ["draft-11"],
          schema: { not: { allOf: ["draft-11", "draft-7"].map((style) => ({ contains: { const: style } })) } },
          about: "Which fields; an empty list is none.",
        },
        reset: {
          kind: "choice",
          of: ["epoch", "delta"],
          fallback: "epoch",
          about: "What X-RateLimit-Reset holds: the second since the Unix epoch, or the seconds until.",
        },
        quota_unit: {
          kind: "text",
          pattern: /^[ -~]{1,64}$/,
          allowed: "1 to 64 printable ASCII characters",
          about: 'What units are, where they are not requests, such as "content-bytes".',
        },
      },
    },
    failure: {
      kind: "table",
      about: "While the limiter does not answer.",
      fields: {
        mode: { ...failMode, fallback: "open", env: "SLUICE_FAIL_MODE" },
        timeout: { ...timeout, fallback: "1s", env: "SLUICE_TIMEOUT" },
        status: {
          kind: "choice",
          of: ["429", "503"],
          fallback: "503",
          env: "SLUICE_FAIL_STATUS",
          about: 'The status of a request that the mode "closed" refuses.',
        },
      },
    },
    jitter: {
      kind: "table",
      about: "Lengthens Retry-After at random, so that clients denied together do not come back together.",
      fields: {
        enabled: { kind: "flag", fallback: false, env: "SLUICE_JITTER", about: "Whether it does." },
        max: {
          kind: "duration",
          minMs: 1_000,
          maxMs: 86_400_000,
          multipleMs: 1_000,
          fallback: "5s",
          env: "SLUICE_JITTER_MAX",
          about: "The most that is added, in whole seconds.",
        },
      },
    },
    analytics: {
      kind: "table",
      about: "Which decisions are told to listeners, and how long they are kept for those who come late.",
      fields: {
        enabled: { kind: "flag", fallback: false, env: "SLUICE_ANALYTICS", about: "Whether any are." },
        sample_rate: {
          kind: "share",
          fallback: 1,
          env: "SLUICE_SAMPLE_RATE",
          about: "The share of decisions that are, 0 to 1.",
        },
        retention: { ...duration("How long they are kept."), fallback: "1h", env: "SLUICE_RETENTION" },
      },
    },
    logging: {
      kind: "table",
      about: "What is written to the log.",
      fields: {
        level: {
          kind: "choice",
          of: ["silent", "error", "info"],
          fallback: "silent",
          env: "SLUICE_LOG_LEVEL",
          about: "Nothing, what went wrong, or decisions too.",
        },
        decisions: {
          kind: "choice",
          of: ["denied", "all"],
          fallback: "denied",
          env: "SLUICE_LOG_DECISIONS",
          about: 'Which decisions, at the level "info".',
        },
        format: {
          kind: "choice",
          of: ["text", "json"],
          fallback: "text",
          env: "SLUICE_LOG_FORMAT",
          about: "Lines for people, or for machines.",
        },
      },
    },
    worker: {
      kind: "table",
      about: "The deployable Worker.",
      fields: {
        upstream: {
          kind: "text",
          pattern: /^https?:\/\/[^\s?#@]+$/,
          allowed: "an http or https URL without credentials, query and fragment",
          env: "SLUICE_UPSTREAM",
          about: "Where requests go that are within their limit.",
        },
      },
    },
    $schema: { kind: "text", pattern: /^/, allowed: "a text", about: "Where editors find this schema." },
  },
}
