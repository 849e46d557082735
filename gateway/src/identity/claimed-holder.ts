/** Holders that requests name before anything is verified. */
import type { IncomingMessage } from 'node:http';
import type { Identity } from '@rhizome/identity';
import {
  certificatePrefix,
  claimedBinding,
  claimedByToken,
  claimedEnrolment,
  claimedKey,
} from '@rhizome/identity/holders';
import { certificateThumbprint } from '../policy/index.js';
import type { Claim } from './attempts.js';

/** The key that a request names, by its proof or by the certificate of its connection. */
export async function claimedByKey(request: IncomingMessage): Promise<string | undefined> {
  const { dpop } = request.headers;
  if (typeof dpop === 'string') return claimedKey(dpop);
  const certificate = certificateThumbprint(request);
  return certificate === undefined ? undefined : certificatePrefix + certificate;
}

/**
 * The holder that an access token names, if the store has it: the enrolment of a worker with its key, or the
 * account. It is the key of failures, so it has nothing in it that the store does not have.
 */
export async function findHolder(
  token: string,
  { tokens, enrolments }: Pick<Identity, 'tokens' | 'enrolments'>,
): Promise<string | undefined> {
  const enrolment = claimedEnrolment(token);
  if (!enrolment?.startsWith('enr_'))
    return (await tokens.isHolderKnown(token)) ? claimedByToken(token) : undefined;
  const { key, certificate = '' } = claimedBinding(token);
  const isOf = await enrolments.isOf(enrolment, key ?? certificatePrefix + certificate);
  return isOf ? enrolment : undefined;
}

/** The claim of a token. The store has its login, or the account that it names, if it was used before. */
export function claimOfToken(token: string, { tokens }: Pick<Identity, 'tokens'>): Claim {
  const holder = claimedByToken(token);
  if (holder === undefined) return { holder };
  return { holder, find: async () => ((await tokens.isHolderKnown(token)) ? holder : undefined) };
}

/** The claim of an assertion. The store has the robot that it names. */
export function claimOfRobot(assertion: string, { robots }: Pick<Identity, 'robots'>): Claim {
  const holder = claimedByToken(assertion);
  if (holder === undefined) return { holder };
  return {
    holder,
    isGuess: true,
    find: async () => ((await robots.isKnown(assertion)) ? holder : undefined),
  };
}

/** The claim of a key with its enrolment. */
export async function claimOfWorker(
  request: IncomingMessage,
  id: string,
  { enrolments }: Pick<Identity, 'enrolments'>,
): Promise<Claim> {
  const holder = await claimedByKey(request);
  if (holder === undefined || !/^enr_[0-9A-Z]{26}$/.test(id)) return { holder };
  return { holder, find: async () => ((await enrolments.isOf(id, holder)) ? holder : undefined) };
}

/** The enrolment that the token of a request names; empty if there is none. */
export function enrolmentInToken({ headers }: IncomingMessage): string {
  const token = /^(?:Bearer|DPoP) +(\S+) *$/i.exec(headers.authorization ?? '')?.[1] ?? '';
  return claimedEnrolment(token) ?? '';
}
