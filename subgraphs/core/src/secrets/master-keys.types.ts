/** A key of a secret, encrypted by a master key. */
export interface WrappedKey {
  /** Names the master key. */
  readonly keyId: string;
  readonly wrappedKey: string;
}

/** Provider of the master keys, which encrypt the keys of secrets and never leave it. */
export interface MasterKeys {
  /** Identifier of the key that wraps now. Reads it again, so that a replaced key is noticed. */
  currentId(): Promise<string>;
  /** Encrypts a key. @param context the same text unwraps it */
  wrap(key: Buffer, context: string): Promise<WrappedKey>;
  /** Decrypts a key. @throws DomainError SERVICE_UNAVAILABLE if the provider does not have the master key */
  unwrap(wrapped: WrappedKey, context: string): Promise<Buffer>;
}
