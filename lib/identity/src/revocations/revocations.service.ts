/** Revokes tokens before they end, and knows in every process which tokens are revoked. */
import { assertCan, owns, type Principal, type Revocable, type RevocationList } from '@rhizome/authz';
import type { Clock } from '@rhizome/clock';
import type { ElevationsRepository } from '../elevations/elevations.repository.js';
import { readTokenId } from '../tokens/token-id.js';
import type { RevocationDocument, RevocationKind } from './revocation.document.js';
import type { RevocationsRepository } from './revocations.repository.js';

/**
 * Longest time for which something acts by a token that can be revoked: tokens live for up to 7 days, and a
 * mandate acts for its grantor for up to 30 days.
 */
export const longestUseMs = 31 * 86_400_000;

/** Ports of {@link RevocationsService}. */
export interface RevocationsOptions {
  readonly revocations: RevocationsRepository;
  readonly elevations: Pick<ElevationsRepository, 'startedBy' | 'end'>;
  readonly clock: Clock;
}

/** A requested revocation. */
export interface RevocationRequest {
  readonly kind: RevocationKind;
  readonly value: string;
  readonly reason: string | null;
}

/** The deny list in memory. */
export class RevocationsService implements RevocationList {
  readonly #options: RevocationsOptions;
  readonly #listeners = new Set<() => void>();
  #notBefore: ReadonlyMap<string, number> = new Map();
  #all: readonly RevocationDocument[] = [];
  #digest = '';

  constructor(options: RevocationsOptions) {
    this.#options = options;
  }

  /** The revocations that are in force. */
  get all(): readonly RevocationDocument[] {
    return this.#all;
  }

  isRevoked({ tokenId, issuer, issuedAt, worker, subject, actsFor, shared }: Revocable): boolean {
    if (this.#notBefore.size === 0 || shared) return false;
    const at = issuedAt?.getTime() ?? 0;
    const parts = readTokenId(tokenId);
    return (
      this.#isDead('TOKEN', tokenId, 0) ||
      this.#isDead('FAMILY', parts?.family, 0) ||
      this.#isDead('ISSUER', parts?.issuerName, at) ||
      this.#isDead('WORKER', worker, at) ||
      this.#isDead('PRINCIPAL', subject, at) ||
      this.#isDead('PRINCIPAL', actsFor, at) ||
      this.#isDead('ISSUER', issuer, at)
    );
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Reads the list again, and calls the listeners if it changed. */
  async refresh(): Promise<void> {
    const all = await this.#options.revocations.all();
    const digest = all.map(({ _id, revision }) => `${_id} ${revision}`).join('\n');
    if (digest === this.#digest) return;
    this.#digest = digest;
    this.#all = all;
    this.#notBefore = new Map(all.map(({ _id, notBefore }) => [_id, notBefore.getTime()]));
    for (const listener of this.#listeners) listener();
  }

  /**
   * Revokes by a request of a principal: everybody may revoke what is its own.
   * @throws DomainError FORBIDDEN
   */
  async revokeFor(request: RevocationRequest, principal: Principal): Promise<RevocationDocument> {
    const { kind, value } = request;
    const isOwn =
      (kind === 'PRINCIPAL' && owns(principal, value)) || (kind === 'TOKEN' && value === principal.tokenId);
    if (!isOwn) assertCan(principal, 'token:revoke', '*');
    return this.revoke(request, principal.subject);
  }

  /**
   * Writes a revocation; it is in force here when this resolves, and elsewhere a moment later. With a login,
   * the elevations that it started end.
   */
  async revoke(request: RevocationRequest, revokedBy: string): Promise<RevocationDocument> {
    const written = await this.#write(request, revokedBy);
    // After the write: an elevation that starts at the same time finds the revocation, or is found here.
    await this.#endElevations(request, revokedBy);
    await this.refresh();
    return written;
  }

  async #endElevations({ kind, value }: RevocationRequest, revokedBy: string): Promise<void> {
    const login = loginOf(kind, value);
    if (login === undefined) return;
    const { elevations, clock } = this.#options;
    for (const { _id } of await elevations.startedBy(login, clock.now())) {
      // The revocation first: an elevation that has ended is not found again.
      await this.#write({ kind: 'FAMILY', value: _id, reason: 'its login has ended' }, revokedBy);
      await elevations.end(_id, revokedBy, clock.now());
    }
  }

  #write({ kind, value, reason }: RevocationRequest, revokedBy: string): Promise<RevocationDocument> {
    const now = this.#options.clock.now();
    const expiresAt = new Date(now.getTime() + longestUseMs);
    const entry = { kind, value, reason, revokedBy, notBefore: now, expiresAt };
    return this.#options.revocations.add(entry, now);
  }

  #isDead(kind: RevocationKind, value: string | undefined, issuedAt: number): boolean {
    if (value === undefined) return false;
    const notBefore = this.#notBefore.get(`${kind}:${value}`);
    return notBefore !== undefined && issuedAt <= notBefore;
  }
}

/** The login that a revocation ends: an exchange without a refresh token has no other token. */
function loginOf(kind: RevocationKind, value: string): string | undefined {
  if (kind === 'FAMILY') return value;
  const family = kind === 'TOKEN' ? readTokenId(value)?.family : undefined;
  return family?.startsWith('tok_') ? family : undefined;
}
