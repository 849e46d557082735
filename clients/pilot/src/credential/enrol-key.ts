/** Enrols the key or the certificate of a credential file. */
import { existsSync } from 'node:fs';
import { createProofKey } from '@rhizome/client';
import {
  type CertificateFiles,
  certificateOf,
  type Credential,
  readCredential,
  writeCredential,
} from './credential-file.js';
import { enrol } from './enrolment-client.js';

/** A worker that enrols. */
export interface KeyEnrolment {
  /** URL of the gateway. */
  readonly url: string;
  readonly queue: string;
  /** Name of the host for an administrator. */
  readonly host: string;
  readonly credentialFile: string;
  /** Code of an invitation. */
  readonly code?: string | undefined;
  /** Token of the platform. */
  readonly platformToken?: string | undefined;
  /** The certificate to enrol instead of a key, for a new file. */
  readonly certificate?: CertificateFiles | undefined;
}

/** A credential whose gateway has answered. */
export interface EnrolledKey {
  readonly credential: Credential & { readonly enrolmentId: string };
  /** True if an administrator must decide first. */
  readonly isPending: boolean;
}

/**
 * Enrols the key of the file, so that a repeated call enrols the same one; a new key if there is no file.
 * @throws EnrolmentRefused, DomainError CONFIG_INVALID; Error if the gateway cannot be reached
 */
export async function enrolKey(enrolment: KeyEnrolment): Promise<EnrolledKey> {
  const { credentialFile, url, queue, host, code, platformToken } = enrolment;
  const found = keyFor(enrolment);
  const { token, pendingId = '' } = await enrol(url, found, {
    queue,
    host,
    ...(code !== undefined && { code }),
    ...(platformToken !== undefined && { subject_token: platformToken }),
  });
  const credential = { ...found, enrolmentId: token?.enrolmentId ?? pendingId };
  writeCredential(credentialFile, credential);
  return { credential, isPending: token === undefined };
}

function keyFor({ url, queue, credentialFile, certificate }: KeyEnrolment): Credential {
  if (existsSync(credentialFile)) return { ...readCredential(credentialFile), url, queue };
  const key = certificate === undefined ? createProofKey() : null;
  const made = { url, queue, enrolmentId: null, key, ...certificateOf(certificate ?? null) };
  // The key is kept before it is sent: an answer that is lost must not lose the enrolment.
  writeCredential(credentialFile, made);
  return made;
}
