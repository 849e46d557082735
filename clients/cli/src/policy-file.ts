/** YAML file of the rules of a policy. All errors are reported together. */
import { z } from 'zod';
import type { AddPolicyVersionInput } from './operations.generated.js';
import { jobErrorFamilies } from './states.js';
import { readYamlFile } from './files/yaml-file.js';

const scalar = z.union([z.string(), z.number(), z.boolean()]).transform(String);
const texts = z.array(scalar);
/** A number, or numbers from one to another. */
const range = z.union([
  z.int().transform((one) => ({ from: one, to: one })),
  z.strictObject({ from: z.int(), to: z.int() }),
]);
const amount = z.strictObject({
  factor: z.number().exactOptional(),
  add: z.int().exactOptional(),
  value: z.int().exactOptional(),
  max: z.int().exactOptional(),
});
const stop = z.strictObject({ reason: z.string() });
/** Command to a task whose failure rate exceeds a limit. */
const taskAction = z.strictObject({
  reason: z.string(),
  maxFailedFraction: z.number(),
  minEndedJobs: z.int().default(20),
});

const match = z
  .strictObject({
    families: z.array(z.enum(jobErrorFamilies)).exactOptional(),
    codes: texts.exactOptional(),
    exitCodes: z.array(range).exactOptional(),
    signals: texts.exactOptional(),
    logPattern: z.string().exactOptional(),
    sites: texts.exactOptional(),
    queues: texts.exactOptional(),
    hosts: texts.exactOptional(),
    attempts: range.exactOptional(),
    classIds: texts.exactOptional(),
    labels: z.record(z.string(), scalar).exactOptional(),
    condition: z.string().exactOptional(),
  })
  .transform(({ labels, ...criteria }) => ({
    ...criteria,
    ...(labels ? { labels: Object.entries(labels).map(([key, value]) => ({ key, value })) } : {}),
  }));

const policyFile = z.strictObject({
  comment: z.string().exactOptional(),
  rules: z
    .array(
      z.strictObject({
        name: scalar,
        match,
        maxPerJob: z.int().exactOptional(),
        action: z.union([
          z.strictObject({
            retry: z.strictObject({
              memory: amount.exactOptional(),
              walltime: amount.exactOptional(),
              disk: amount.exactOptional(),
              anotherHostSeconds: z.int().exactOptional(),
              anotherSiteSeconds: z.int().exactOptional(),
              backoffSeconds: z.int().exactOptional(),
              maxAttempts: z.int().exactOptional(),
            }),
          }),
          z.strictObject({ fail: stop }),
          z.strictObject({ hold: stop }),
          z.strictObject({ pauseTask: taskAction }),
          z.strictObject({ stopTask: taskAction }),
          z.strictObject({ retryIfHostExcluded: stop }),
          z.strictObject({ excludeHost: z.strictObject({ reason: z.string(), seconds: z.int() }) }),
        ]),
      }),
    )
    .default([]),
  placement: z
    .strictObject({
      otherHostSeconds: z.int().exactOptional(),
      otherSiteSeconds: z.int().exactOptional(),
      otherSiteAfter: z.int().exactOptional(),
    })
    .exactOptional(),
});

/** Reads the rules of a policy. @throws CliError that lists every error with its path */
export function readPolicyFile(path: string, cwd: string): Omit<AddPolicyVersionInput, 'scope'> {
  return readYamlFile(path, cwd, policyFile, 'policy');
}
