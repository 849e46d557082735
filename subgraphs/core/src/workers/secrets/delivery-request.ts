/** Request of a worker for secrets: it names a key to encrypt them with, and the worker's key signs it. */
import { z } from '@rhizome/config';
import { calculateJwkThumbprint, type CryptoKey, EmbeddedJWK, importJWK, jwtVerify } from 'jose';

/** The `typ` header of a request. */
export const deliveryRequestType = 'rhizome-secrets-request+jwt';

/** The attempt that a request is for. */
export interface RequestedAttempt {
  readonly workerId: string;
  readonly jobId: string;
  readonly fence: number;
}

const coordinate = z.string().regex(/^[\w-]{43}$/);
const publicKey = z.strictObject({
  kty: z.literal('EC'),
  crv: z.literal('P-256'),
  x: coordinate,
  y: coordinate,
});
const claims = z.object({
  workerId: z.string(),
  jobId: z.string(),
  fence: z.number(),
  key: publicKey,
});

/** A request is signed for one call; its age bounds what a recorded one is good for. */
const oldestSeconds = 300;

/**
 * The key that secrets are encrypted with. The signature binds it to the credential of the worker, so that
 * nothing between core and the worker can put another one in its place.
 * @param keyThumbprint thumbprint of the key of the worker's credential
 * @returns undefined if the request is not valid for the attempt
 */
export async function keyOfRequest(
  request: string,
  attempt: RequestedAttempt,
  keyThumbprint: string,
  now: Date,
): Promise<CryptoKey | undefined> {
  try {
    const { payload, protectedHeader } = await jwtVerify(request, EmbeddedJWK, {
      algorithms: ['ES256'],
      typ: deliveryRequestType,
      maxTokenAge: oldestSeconds,
      clockTolerance: 60,
      currentDate: now,
    });
    const { workerId, jobId, fence, key } = claims.parse(payload);
    const isSame = workerId === attempt.workerId && jobId === attempt.jobId && fence === attempt.fence;
    const signer = await calculateJwkThumbprint(protectedHeader.jwk ?? {});
    if (!isSame || signer !== keyThumbprint) return undefined;
    return (await importJWK(key, 'ECDH-ES')) as CryptoKey;
  } catch {
    return undefined;
  }
}
