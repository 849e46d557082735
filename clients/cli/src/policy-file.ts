/** YAML file of the rules of a policy. All errors are reported together. */
import { z } from 'zod';
import type { AddPolicyVersionInput } from './operations.generated.js';
import { readYamlFile } from './yaml-file.js';

const scalar = z.union([z.string(), z.number(), z.boolean()]).transform(String);
const texts = z.array(scalar);
/** A number, or numbers from one to another. */
const range = z.union([
  z.int().transform((one) => ({ from: one, to: one })),
  z.strictObject({ from: z.int(), to: z.int() }),
]);
const amount = z.strictObject({
  factor: z.number().optional(),
  add: z.int().optional(),
  value: z.int().optional(),
  max: z.int().optional(),
});
const stop = z.strictObject({ reason: z.string() });
const families = ['PAYLOAD', 'WORKER', 'LIMIT', 'DATA', 'SYSTEM'] as const;

const match = z
  .strictObject({
    families: z.array(z.enum(families)).optional(),
    codes: texts.optional(),
    exitCodes: z.array(range).optional(),
    signals: texts.optional(),
    logPattern: z.string().optional(),
    sites: texts.optional(),
    queues: texts.optional(),
    hosts: texts.optional(),
    attempts: range.optional(),
    classIds: texts.optional(),
    labels: z.record(z.string(), scalar).optional(),
    condition: z.string().optional(),
  })
  .transform(({ labels, ...criteria }) => ({
    ...criteria,
    ...(labels ? { labels: Object.entries(labels).map(([key, value]) => ({ key, value })) } : {}),
  }));

const policyFile = z.strictObject({
  comment: z.string().optional(),
  rules: z
    .array(
      z.strictObject({
        name: scalar,
        match,
        maxPerJob: z.int().optional(),
        action: z.union([
          z.strictObject({
            retry: z.strictObject({
              memory: amount.optional(),
              walltime: amount.optional(),
              disk: amount.optional(),
              anotherHostSeconds: z.int().optional(),
              anotherSiteSeconds: z.int().optional(),
              backoffSeconds: z.int().optional(),
              maxAttempts: z.int().optional(),
            }),
          }),
          z.strictObject({ fail: stop }),
          z.strictObject({ hold: stop }),
        ]),
      }),
    )
    .default([]),
  placement: z
    .strictObject({
      otherHostSeconds: z.int().optional(),
      otherSiteSeconds: z.int().optional(),
      otherSiteAfter: z.int().optional(),
    })
    .optional(),
});

/** Reads the rules of a policy. @throws CliError that lists every error with its path */
export function readPolicyFile(path: string, cwd: string): Omit<AddPolicyVersionInput, 'scope'> {
  return withoutUndefined(readYamlFile(path, cwd, policyFile, 'policy')) as Omit<
    AddPolicyVersionInput,
    'scope'
  >;
}

/** Absent members, which the types of GraphQL do not have. */
function withoutUndefined(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutUndefined);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return Object.fromEntries(members.map(([key, member]) => [key, withoutUndefined(member)]));
}
