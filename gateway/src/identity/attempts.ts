/** Limits and records of the requests to the endpoints of tokens. */
import type { IncomingMessage } from 'node:http';
import { type DomainError, isDomainError } from '@rhizome/errors';
import { humanHolder, nonceField, type TokenHolder } from '@rhizome/identity/holders';
import type { AuditedLogin, AuditRecorder } from '../audit/index.js';
import { type ClientAddress, type RateLimiter, requestIdOf } from '../policy/index.js';
import { grantTypes } from './metadata.js';

/** A request to an endpoint. */
export interface Attempt {
  readonly request: IncomingMessage;
  readonly address: string;
  readonly requestId: string;
  /** Undefined for requests that are not recorded. */
  action: string | undefined;
  client: { readonly name: string; readonly version: string };
}

/** Ports of {@link Attempts}. */
export interface AttemptsOptions {
  /** The `iss` of the gateway's tokens. */
  readonly issuer: string;
  readonly addressOf: ClientAddress;
  /** Counts failures by address, and tokens by their holder; undefined if nothing is limited. */
  readonly rates: RateLimiter | undefined;
  /** Records logins; undefined without an audit log. */
  readonly audit: Pick<AuditRecorder, 'login'> | undefined;
}

const unknownClient = { name: 'unknown', version: '' };

/** Names in the audit log. Renewals of workers are most of all requests, and are not recorded. */
const actions: ReadonlyMap<string, string> = new Map([
  [grantTypes.exchange, 'oauth.exchange'],
  [grantTypes.refresh, 'oauth.refresh'],
  [grantTypes.enrolment, 'oauth.enrol'],
]);

/**
 * Charges failures to the address and successes to the holder of the key or the account. So the guesses of a
 * stranger are bounded, and never cut off the pilots and people behind the same address.
 */
export class Attempts {
  readonly #options: AttemptsOptions;

  constructor(options: AttemptsOptions) {
    this.#options = options;
  }

  begin(request: IncomingMessage): Attempt {
    const address = this.#options.addressOf(request);
    const requestId = requestIdOf(request.headers['x-request-id']);
    return { request, address, requestId, action: undefined, client: unknownClient };
  }

  /** Completes an attempt by the form of its request. */
  name(attempt: Attempt, form: URLSearchParams): void {
    attempt.action = actions.get(form.get('grant_type') ?? '');
    const client = form.get('client_id') ?? '';
    if (/^[\w.:/~-]{1,200}$/.test(client)) attempt.client = { name: client, version: '' };
  }

  /** Charges and records a failure. Returns the error to answer with. */
  refused(error: unknown, attempt: Attempt): unknown {
    if (!isDomainError(error) || error.http >= 500 || error.code === 'LIMIT_EXCEEDED') return error;
    // A client learns the nonce for its proofs by this error.
    if (error.details.field === nonceField) return error;
    const { reusedBy } = error.details as { readonly reusedBy?: string };
    if (reusedBy === undefined) this.record(attempt, null, [error.code]);
    else this.record(attempt, humanHolder(reusedBy), ['REFRESH_TOKEN_REUSED', error.code]);
    // An expired token was signed by a trusted issuer: its holder must learn that it has expired.
    return error.code === 'TOKEN_EXPIRED' ? error : (this.#byAddress(attempt) ?? error);
  }

  /** Charges the address. @throws DomainError LIMIT_EXCEEDED */
  chargeAddress(attempt: Attempt): void {
    const error = this.#byAddress(attempt);
    if (error) throw error;
  }

  /** Charges a holder for a token. @throws DomainError LIMIT_EXCEEDED */
  chargeHolder(holder: string): void {
    const error = this.#options.rates?.useByHolder(holder, { operations: 1 });
    if (error) throw error;
  }

  /** Records an attempt. @param codes reasons of a refusal */
  record(attempt: Attempt, holder: TokenHolder | null, codes: readonly string[] = []): void {
    const { action, client, requestId, address } = attempt;
    if (action === undefined) return;
    const actor = holder && this.#actorOf(holder);
    this.#options.audit?.login({ action, actor, codes, client, requestId, address });
  }

  #byAddress({ address }: Attempt): DomainError | undefined {
    return this.#options.rates?.useByAddress(address, { operations: 1 });
  }

  #actorOf({ kind, subject, actsFor, tokenId }: TokenHolder): AuditedLogin['actor'] {
    const { issuer } = this.#options;
    const human = kind === 'HUMAN' ? subject : actsFor;
    return { kind, subject, human, issuer, tokenId, tokenKind: null, worker: null };
  }
}
