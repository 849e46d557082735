/** Requests for secrets, and their decryption with a key that exists for one request only. */
import type { ProofKey } from '@rhizome/client';
import { z } from 'zod';
import type { DeliveredSecret } from './delivered-secret.js';

/** The attempt that the secrets are for. */
export interface SecretAttempt {
  readonly workerId: string;
  readonly jobId: string;
  readonly fence: number;
}

/** A signed request, and the decryption of its answer. */
export interface SecretRequest {
  readonly request: string;
  open(sealed: string): Promise<readonly DeliveredSecret[]>;
}

const delivered = z.object({
  secrets: z.array(
    z.object({
      id: z.string(),
      as: z.enum(['FILE', 'VARIABLE']),
      target: z.string().min(1),
      value: z.string(),
    }),
  ),
});

/** Makes a request. @param key the key of the worker's credential */
export async function secretRequest(attempt: SecretAttempt, key: ProofKey): Promise<SecretRequest> {
  // Most attempts have no secret, so that a pilot may never need the library.
  const { compactDecrypt, exportJWK, generateKeyPair } = await import('jose');
  const pair = await generateKeyPair('ECDH-ES', { crv: 'P-256', extractable: true });
  const { kty, crv, x, y } = await exportJWK(pair.publicKey);
  const request = key.statement('rhizome-secrets-request+jwt', { ...attempt, key: { kty, crv, x, y } });
  return {
    request,
    async open(sealed) {
      const { plaintext, protectedHeader } = await compactDecrypt(sealed, pair.privateKey, {
        keyManagementAlgorithms: ['ECDH-ES'],
        contentEncryptionAlgorithms: ['A256GCM'],
      });
      if (protectedHeader['jobId'] !== attempt.jobId || protectedHeader['fence'] !== attempt.fence)
        throw new Error('The delivered secrets are for another attempt');
      return delivered.parse(JSON.parse(Buffer.from(plaintext).toString())).secrets;
    },
  };
}
