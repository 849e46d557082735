/** Keys whose holders have signed requests to the token endpoint. */
import type { IncomingMessage } from 'node:http';
import { DomainError } from '@rhizome/errors';
import type { Identity, ProvenKey } from '@rhizome/identity';
import { certificatePrefix } from '@rhizome/identity/holders';
import { certificateThumbprint } from '../policy/index.js';
import { paths } from './metadata.js';

/** Ports of {@link provenKey}. */
export interface ProvenKeyPorts {
  readonly identity: Pick<Identity, 'proofs'>;
  /** Addresses under which this gateway is reached for a request, without path. */
  readonly originsOf: (request: IncomingMessage) => readonly string[];
}

/**
 * The key with which the request was signed, or that of the client's certificate.
 * @throws DomainError BAD_REQUEST without either, UNAUTHENTICATED for a proof that is not valid
 */
export async function provenKey(request: IncomingMessage, ports: ProvenKeyPorts): Promise<ProvenKey> {
  const proof = request.headers['dpop'];
  const certificate = certificateThumbprint(request);
  if (proof === undefined && certificate !== undefined)
    return { thumbprint: certificatePrefix + certificate, use: () => Promise.resolve() };
  if (typeof proof !== 'string')
    throw new DomainError(
      'BAD_REQUEST',
      'dpop: a proof of possession is required, or a client certificate where this gateway asks for one',
      { field: 'dpop' },
    );
  return checkedProof(proof, request, ports);
}

/** The key with which a proof for the token endpoint was signed. @throws DomainError UNAUTHENTICATED */
export function checkedProof(
  proof: string,
  request: IncomingMessage,
  { identity, originsOf }: ProvenKeyPorts,
): Promise<ProvenKey> {
  const urls = originsOf(request).map((origin) => origin + paths.token);
  return identity.proofs.check(proof, { method: 'POST', urls });
}
