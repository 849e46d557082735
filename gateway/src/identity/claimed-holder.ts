/** Holders that requests name before anything is verified. */
import type { IncomingMessage } from 'node:http';
import type { Identity } from '@rhizome/identity';
import {
  certificatePrefix,
  claimedBinding,
  claimedByAssertion,
  claimedByToken,
  claimedEnrolment,
  claimedKey,
} from '@rhizome/identity/holders';
import { certificateThumbprint, namedHolder, tokenIn } from '../policy/index.js';
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
  const key = claimedBinding(token);
  return key !== undefined && (await enrolments.isOf(enrolment, key)) ? enrolment : undefined;
}

/** The claim of a token. The store has its login, or the account that it names, if it was used before. */
export function claimOfToken(token: string, { tokens }: Pick<Identity, 'tokens'>): Claim {
  return namedHolder(claimedByToken(token), () => tokens.isHolderKnown(token));
}

/** The claim of an assertion. The store has the robot and the key that it names. */
export async function claimOfRobot(assertion: string, { robots }: Pick<Identity, 'robots'>): Promise<Claim> {
  const holder = await claimedByAssertion(assertion);
  return { ...namedHolder(holder, () => robots.isKnown(assertion)), isGuess: holder !== undefined };
}

/** The claim of a key with its enrolment. */
export async function claimOfWorker(
  request: IncomingMessage,
  id: string,
  { enrolments }: Pick<Identity, 'enrolments'>,
): Promise<Claim> {
  const holder = await claimedByKey(request);
  if (holder === undefined || !/^enr_[0-9A-Z]{26}$/.test(id)) return { holder };
  return namedHolder(holder, () => enrolments.isOf(id, holder));
}

/** The enrolment that the token of a request names; empty if there is none. */
export function enrolmentInToken(request: IncomingMessage): string {
  return claimedEnrolment(tokenIn(request) ?? '') ?? '';
}
