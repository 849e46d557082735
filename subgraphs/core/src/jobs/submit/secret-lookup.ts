/** Look-up of the secrets that payloads name, once for all jobs of a call. */
import type { Principal } from '@rhizome/authz';
import type { JobSecrets, NamedSecret, SubmissionConsents } from '../ports.js';
import type { JobValueErrors } from './job-input-error.types.js';
import { secretDefaults, type SecretIds } from './normalise.js';
import type { JobSecretSpec, PayloadSpec } from './submit.types.js';

/** Submitter, owner and experiment of the jobs. */
export interface SecretUser {
  readonly principal: Principal;
  readonly owner: string;
  readonly experiment: string;
  /** Set if the submitter submits for the owner. */
  readonly submittedBy?: string | undefined;
}

/** Ports of {@link lookUpSecrets}. */
export interface SecretSources {
  readonly secrets: JobSecrets;
  readonly consents: Pick<SubmissionConsents, 'secretNames'>;
}

/** Ids of the secrets of the payloads; empty for a secret that does not exist or must not be used. */
export async function lookUpSecrets(
  { secrets, consents }: SecretSources,
  { principal, owner, experiment, submittedBy }: SecretUser,
  payloads: Iterable<PayloadSpec | null | undefined>,
): Promise<SecretIds> {
  const named = new Map<string, NamedSecret>();
  for (const payload of payloads)
    for (const spec of payload?.secrets ?? [])
      named.set(keyOf(spec), { scope: secretDefaults(spec).scope, name: spec.name });
  if (named.size === 0) return () => '';
  const allowed = submittedBy === undefined ? [] : await consents.secretNames(experiment, owner);
  const found = await secrets.usable(principal, { owner, experiment }, [...named.values()], allowed);
  const ids = new Map([...named.keys()].map((key, position) => [key, found[position] ?? '']));
  return (spec) => ids.get(keyOf(spec)) ?? '';
}

/** Reports the secrets of a payload that were not found. */
export function checkSecretIds(
  { secrets }: PayloadSpec,
  path: readonly (string | number)[],
  ids: SecretIds,
  errors: JobValueErrors,
): void {
  secrets?.forEach((spec, position) => {
    if (ids(spec) !== '') return;
    const text = `Secret ${JSON.stringify(spec.name)} not found, or you may not use it.`;
    errors.report('SECRET_NOT_FOUND', [...path, 'secrets', position, 'name'], text);
  });
}

const keyOf = (spec: JobSecretSpec): string => `${secretDefaults(spec).scope} ${spec.name}`;
