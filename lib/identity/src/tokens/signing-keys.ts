/** The keys of Rhizome's own issuer: two are published at any time, one signs. */
import { newKey, publicJwk, type TokenSigner } from '@rhizome/authz';
import type { Clock } from '@rhizome/clock';
import { DomainError } from '@rhizome/errors';
import { calculateJwkThumbprint, type CryptoKey, importJWK, type JSONWebKeySet, type JWK } from 'jose';
import type { KeyEncryption } from './key-encryption.js';
import type { SigningKeyDocument } from './signing-key.document.js';
import type { SigningKeysRepository } from './signing-keys.repository.js';

/** Time for which verifiers keep the keys: a key is published for at least that time before it signs. */
export const cacheLifetimeMs = 10 * 60_000;
/** Time for which a key is published after it has signed last: longer than any token lives. */
const verifiesForMs = 2 * 3_600_000;
/** Age at which a key is replaced by itself. */
const rotateAfterMs = 90 * 86_400_000;

/** Ports of {@link SigningKeys}. */
export interface SigningKeysOptions {
  readonly repository: SigningKeysRepository;
  readonly encryption: KeyEncryption;
  readonly issuer: string;
  readonly audience: string;
  readonly clock: Clock;
}

/** Signs with the newest active key, and publishes the others. */
export class SigningKeys {
  readonly #options: SigningKeysOptions;
  readonly #imported = new Map<string, Promise<CryptoKey>>();
  #keys: readonly SigningKeyDocument[] = [];
  /** Ends with the last read or change: they run one by one, so that no earlier read replaces a later one. */
  #order: Promise<unknown> = Promise.resolve();

  constructor(options: SigningKeysOptions) {
    this.#options = options;
  }

  /** Reads the keys again; makes the missing ones, and rotates an old one. */
  refresh(): Promise<void> {
    return this.#inOrder(() => this.#refresh());
  }

  async #refresh(): Promise<void> {
    this.#keys = await this.#options.repository.all();
    const now = this.#options.clock.now();
    const current = this.#current(now);
    if (!current) await this.#activateNext(now, now);
    else if (now.getTime() - (current.activeFrom ?? now).getTime() > rotateAfterMs) await this.#rotate();
    if (!this.#next()) await this.#make(null);
  }

  /** The public keys. */
  jwks(): JSONWebKeySet {
    const now = this.#options.clock.now();
    const published = this.#keys.filter(({ retiresAt }) => retiresAt === null || retiresAt > now);
    return { keys: published.map((key) => publicJwk(key.publicJwk as JWK, key._id)) };
  }

  /** The key that signs now. @throws DomainError SERVICE_UNAVAILABLE if there is none */
  async signer(): Promise<TokenSigner> {
    const { issuer, audience, clock } = this.#options;
    const current = this.#current(clock.now());
    if (!current) throw new DomainError('SERVICE_UNAVAILABLE', 'There is no key to sign tokens with');
    return { issuer, audience, clock, kid: current._id, key: await this.#privateKey(current) };
  }

  /** Lets the next key sign as soon as all verifiers know it, and publishes another one. */
  rotate(): Promise<void> {
    return this.#inOrder(() => this.#rotate());
  }

  async #rotate(): Promise<void> {
    const { clock } = this.#options;
    const now = clock.now();
    const next = this.#next();
    const knownFrom = new Date((next?.createdAt ?? now).getTime() + cacheLifetimeMs);
    await this.#activateNext(now, knownFrom > now ? knownFrom : now);
    this.#keys = await this.#options.repository.all();
    if (!this.#next()) await this.#make(null);
  }

  /** Removes a key at once. If it signs, the next one does from now on. False if there is no such key. */
  remove(kid: string): Promise<boolean> {
    return this.#inOrder(() => this.#remove(kid));
  }

  async #remove(kid: string): Promise<boolean> {
    const { repository, clock } = this.#options;
    const now = clock.now();
    const isSigning = this.#current(now)?._id === kid;
    const removed = await repository.remove(kid);
    this.#imported.delete(kid);
    this.#keys = await repository.all();
    if (isSigning) await this.#activateNext(now, now);
    await this.#refresh();
    return removed;
  }

  #inOrder<T>(work: () => Promise<T>): Promise<T> {
    const next = this.#order.then(work);
    this.#order = next.catch(() => undefined);
    return next;
  }

  #current(now: Date): SigningKeyDocument | undefined {
    return this.#keys.findLast(
      ({ activeFrom, retiresAt }) =>
        activeFrom !== null && activeFrom <= now && (retiresAt === null || retiresAt > now),
    );
  }

  #next(): SigningKeyDocument | undefined {
    return this.#keys.find(({ activeFrom }) => activeFrom === null);
  }

  async #activateNext(now: Date, from: Date): Promise<void> {
    const { repository } = this.#options;
    const next = this.#next();
    if (!next) return this.#make(now);
    if (await repository.activate(next._id, from, now)) {
      await repository.retireBefore(next.generation, new Date(from.getTime() + verifiesForMs), now);
    }
    this.#keys = await repository.all();
  }

  async #make(activeFrom: Date | null): Promise<void> {
    const { repository, encryption, clock } = this.#options;
    const { kty = '', crv = '', x = '', y = '', d = '' } = await newKey();
    const publicPart = { kty, crv, x, y };
    const kid = await calculateJwkThumbprint(publicPart as JWK);
    const now = clock.now();
    await repository.insert({
      _id: kid,
      schemaVersion: 1,
      revision: 1,
      createdAt: now,
      updatedAt: now,
      generation: (this.#keys.at(-1)?.generation ?? 0) + 1,
      publicJwk: publicPart,
      privateJwk: encryption.seal(JSON.stringify({ ...publicPart, d }), kid),
      activeFrom,
      retiresAt: null,
    });
    this.#keys = await repository.all();
  }

  #privateKey({ _id: kid, privateJwk }: SigningKeyDocument): Promise<CryptoKey> {
    const known = this.#imported.get(kid);
    if (known) return known;
    const jwk = JSON.parse(this.#options.encryption.open(privateJwk, kid)) as JWK;
    const key = importJWK(jwk, 'ES256') as Promise<CryptoKey>;
    this.#imported.set(kid, key);
    return key;
  }
}
