/**
 * Identity of pilots across their workers: only the pilot of a worker may bring it back or continue its jobs.
 */
import type { Principal } from '@rhizome/authz';
import type { WorkerDocument } from '../worker.types.js';

/**
 * The part of the registration key that identifies the holder: its key or certificate and the worker of its
 * credential, or its subject if it has none.
 */
export function holderOf(principal: Principal): string {
  const { subject, worker } = principal;
  return worker === undefined ? subject : `key:${thumbprintOf(principal)}/${worker}`;
}

/** Checks that a worker was registered with the same key, or both without one. */
export function isSameHolder(
  principal: Principal,
  queueId: string,
  { registrationKey }: Pick<WorkerDocument, 'registrationKey'>,
): boolean {
  if (principal.worker === undefined) return !registrationKey.startsWith(`${queueId}/key:`);
  return registrationKey.startsWith(`${queueId}/key:${thumbprintOf(principal)}/`);
}

/** Checks that a worker was registered with the same key, or without one by the same subject. */
export function isSamePrincipal(
  principal: Principal,
  { queueId, registrationKey }: Pick<WorkerDocument, 'queueId' | 'registrationKey'>,
): boolean {
  if (principal.worker !== undefined) return isSameHolder(principal, queueId, { registrationKey });
  return registrationKey.startsWith(`${queueId}/${principal.subject}/`);
}

/** Checks that a worker is an earlier one of the pilot that has registered the other. */
export function isSamePilot(
  principal: Principal,
  later: Pick<WorkerDocument, 'queueId' | 'name' | 'host'>,
  earlier: WorkerDocument,
): boolean {
  return (
    earlier.queueId === later.queueId &&
    earlier.name === later.name &&
    earlier.host === later.host &&
    isSamePrincipal(principal, earlier)
  );
}

function thumbprintOf({ keyThumbprint, certificateThumbprint, subject }: Principal): string {
  return keyThumbprint ?? certificateThumbprint ?? subject;
}
