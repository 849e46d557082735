/** Whose jobs are: the caller's, or somebody's for whom a service speaks. */
import { InputErrors } from '@rhizome/errors';
import { assertCan, type Principal } from '@rhizome/authz';
import type { Refusal, RefusalCode } from './refusal.types.js';

/** The subject that a submit belongs to, and who submitted it where that is somebody else; or what is wrong with it. */
export type Ownership =
  { readonly owner: string; readonly submittedBy?: string } | { readonly refusal: Refusal };

/** Decides it. @throws DomainError FORBIDDEN for who may not submit for others */
export function ownershipOf(
  principal: Principal,
  experiment: string,
  onBehalfOf: string | null | undefined,
): Ownership {
  const { subject } = principal;
  if (onBehalfOf == null || onBehalfOf === subject) return { owner: subject };
  assertCan(principal, 'job:submitFor', experiment);
  const errors = new InputErrors<RefusalCode>();
  errors.text(['onBehalfOf'], onBehalfOf, 1, 255);
  const [refusal] = errors.all;
  return refusal ? { refusal } : { owner: onBehalfOf, submittedBy: subject };
}
