/**
 * Envelope encryption: each version of a secret has a data key of its own, which a master key wraps. Both
 * ciphertexts are bound to the secret, its version and its holder, so that the store cannot exchange them.
 */
import { randomBytes } from 'node:crypto';
import { decrypt, encrypt, type Encrypted } from './aes-gcm.js';
import type { MasterKeys, WrappedKey } from './master-keys.types.js';

/** An encrypted value with its wrapped data key. */
export interface Envelope extends WrappedKey, Encrypted {}

/** The version of a secret that an envelope is bound to. */
export interface EnvelopeOwner {
  readonly id: string;
  readonly version: number;
  readonly scope: string;
  readonly holder: string;
}

/** Encrypts a value with a new data key. */
export async function seal(value: Buffer, owner: EnvelopeOwner, keys: MasterKeys): Promise<Envelope> {
  const context = contextOf(owner);
  const dataKey = randomBytes(32);
  try {
    const wrapped = await keys.wrap(dataKey, context);
    return { ...wrapped, ...encrypt(value, dataKey, context) };
  } finally {
    dataKey.fill(0);
  }
}

/** Decrypts a value. @throws Error if the envelope belongs to another version or was changed */
export async function open(envelope: Envelope, owner: EnvelopeOwner, keys: MasterKeys): Promise<Buffer> {
  const context = contextOf(owner);
  const dataKey = await keys.unwrap(envelope, context);
  try {
    return decrypt(envelope, dataKey, context);
  } finally {
    dataKey.fill(0);
  }
}

/** The envelope with its data key under the current master key. The value is not decrypted. */
export async function rewrap(envelope: Envelope, owner: EnvelopeOwner, keys: MasterKeys): Promise<Envelope> {
  const context = contextOf(owner);
  const dataKey = await keys.unwrap(envelope, context);
  try {
    return { ...envelope, ...(await keys.wrap(dataKey, context)) };
  } finally {
    dataKey.fill(0);
  }
}

const contextOf = ({ id, version, scope, holder }: EnvelopeOwner): string =>
  JSON.stringify(['rhizome secret', id, version, scope, holder]);
