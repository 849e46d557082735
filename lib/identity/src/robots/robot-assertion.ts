/** Assertions by which robots authenticate at the token endpoint (`private_key_jwt`, RFC 7523). */
import type { Clock } from '@rhizome/clock';
import { DomainError, isDomainError } from '@rhizome/errors';
import { calculateJwkThumbprint, decodeJwt, decodeProtectedHeader, importJWK, jwtVerify } from 'jose';
import type { UsedProofs } from '../proof/proof-verifier.js';
import type { RobotKeyDocument } from './robot-key.document.js';

/** Longest lifetime of an assertion, in seconds. */
const maxLifetimeSeconds = 300;
const toleranceSeconds = 60;
const maxLength = 4096;

/** Field of the errors of an assertion. */
export const assertionField = 'client_assertion';

/** The robot that an assertion names; nothing is verified. Undefined for a text that is no assertion. */
export function robotInAssertion(assertion: string): string | undefined {
  if (assertion.length > maxLength) return undefined;
  try {
    const { iss, sub } = decodeJwt(assertion);
    return iss === sub && typeof sub === 'string' && /^svc_[0-9A-Z]{26}$/.test(sub) ? sub : undefined;
  } catch {
    return undefined;
  }
}

/** Parts of {@link verifyAssertion}. */
export interface AssertionCheck {
  /** Keys of the robot that it names. */
  readonly keys: readonly RobotKeyDocument[];
  /** Accepted values of `aud`. */
  readonly audiences: readonly string[];
  readonly used: UsedProofs;
  readonly clock: Clock;
}

/**
 * The key with which an assertion was signed. The assertion is used then, at all gateways.
 * @throws DomainError UNAUTHENTICATED
 */
export async function verifyAssertion(assertion: string, check: AssertionCheck): Promise<RobotKeyDocument> {
  const { kid } = headerOf(assertion);
  const candidates = check.keys.filter(({ thumbprint }) => kid === undefined || kid === thumbprint);
  let fault: unknown;
  for (const key of candidates) {
    try {
      await verifyWith(key, assertion, check);
      return key;
    } catch (error) {
      if (isDomainError(error)) throw error;
      fault = error;
    }
  }
  throw refused(fault instanceof Error ? fault.message : 'no key of this robot has signed it', fault);
}

async function verifyWith(
  { publicKey, thumbprint }: RobotKeyDocument,
  assertion: string,
  { audiences, used, clock }: AssertionCheck,
): Promise<void> {
  const { payload } = await jwtVerify(assertion, await importJWK({ ...publicKey }, algorithmOf(publicKey)), {
    algorithms: [algorithmOf(publicKey), ...(publicKey.kty === 'OKP' ? ['Ed25519'] : [])],
    audience: [...audiences],
    currentDate: clock.now(),
    clockTolerance: toleranceSeconds,
    requiredClaims: ['iss', 'sub', 'aud', 'exp', 'jti'],
  });
  const nowSeconds = clock.now().getTime() / 1000;
  const { exp = 0, jti } = payload;
  if (exp - nowSeconds > maxLifetimeSeconds + toleranceSeconds)
    throw refused(`it ends too late; must end within ${maxLifetimeSeconds} s`);
  // Claims of an assertion have any type, whatever the library says.
  if (typeof jti !== 'string' || jti === '' || jti.length > 128) throw refused('its jti is not valid');
  const expiresAt = new Date((exp + 2 * toleranceSeconds) * 1000);
  if (!(await used.use(`assertion ${thumbprint} ${jti}`, expiresAt))) throw refused('it was used before');
}

const algorithmOf = ({ kty }: RobotKeyDocument['publicKey']): 'ES256' | 'EdDSA' =>
  kty === 'EC' ? 'ES256' : 'EdDSA';

function headerOf(assertion: string): { readonly kid?: string | undefined } {
  try {
    return decodeProtectedHeader(assertion);
  } catch (error) {
    throw refused('it is not a JWT', error);
  }
}

/** Thumbprint of a key (RFC 7638). */
export const thumbprintOf = (key: RobotKeyDocument['publicKey']): Promise<string> =>
  calculateJwkThumbprint({ ...key });

function refused(why: string, cause?: unknown): DomainError {
  const text = `${assertionField}: the assertion is not accepted: ${why}`;
  return new DomainError('UNAUTHENTICATED', text, { field: assertionField }, { cause });
}

/** One text for unknown robots, robots without keys and suspended ones. */
export function noSuchRobot(): DomainError {
  return refused('no robot with this name and a valid key is known here');
}
