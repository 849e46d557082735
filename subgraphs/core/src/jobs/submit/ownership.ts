/** Owner of submitted jobs: the caller, or the user that a service submits for. */
import { InputErrors } from '@rhizome/errors';
import { assertCan, owns, type Principal } from '@rhizome/authz';
import type { SubmissionConsents } from '../ports.js';
import type { JobValueError, JobValueErrorCode } from './job-input-error.types.js';

/** Subjects of pilots, workers and services. */
const noPerson = /^(pilot|worker|experiment):/;

/** Subject of the owner, and the submitter if that is someone else; or the error of the input. */
export type Ownership =
  { readonly owner: string; readonly submittedBy?: string } | { readonly refusal: JobValueError };

/** Error for a person who has not allowed the service to submit for them; otherwise undefined. */
export async function missingConsent(
  { owner, submittedBy }: Exclude<Ownership, { readonly refusal: JobValueError }>,
  experiment: string,
  consents: SubmissionConsents,
): Promise<JobValueError | undefined> {
  if (submittedBy === undefined || (await consents.allows(experiment, owner))) return undefined;
  return {
    code: 'CONSENT_MISSING',
    path: ['onBehalfOf'],
    message: `onBehalfOf: ${JSON.stringify(owner)} has not allowed experiment "${experiment}" to submit for them, or may not submit; they allow it with the mutation allowSubmissionOnBehalf`,
  };
}

/** Other identities of the owner, if the owner is the caller: their live jobs have common limits. */
export function otherIdentities(principal: Principal, owner: string): readonly string[] {
  if (!owns(principal, owner)) return [];
  return [principal.subject, ...(principal.linked ?? [])].filter((identity) => identity !== owner);
}

/** Determines the owner. @throws DomainError FORBIDDEN if the caller may not submit for others */
export function ownershipOf(
  principal: Principal,
  experiment: string,
  onBehalfOf: string | null | undefined,
): Ownership {
  const { subject } = principal;
  if (onBehalfOf == null || onBehalfOf === subject) return { owner: subject };
  assertCan(principal, 'job:submitFor', experiment);
  const errors = new InputErrors<JobValueErrorCode>();
  errors.subject(['onBehalfOf'], onBehalfOf);
  if (noPerson.test(onBehalfOf)) errors.add(['onBehalfOf'], onBehalfOf, 'the subject of a person');
  const [refusal] = errors.all;
  return refusal ? { refusal } : { owner: onBehalfOf, submittedBy: subject };
}
