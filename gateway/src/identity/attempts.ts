/** Limits and records of the requests to the endpoints of identities. */
import type { IncomingMessage } from 'node:http';
import { type DomainError, isDomainError } from '@rhizome/errors';
import type { FailedGuesses } from '@rhizome/identity';
import { humanHolder, nonceField, type TokenHolder } from '@rhizome/identity/holders';
import type { AuditedLogin, AuditRecorder } from '../audit/index.js';
import {
  type Admission,
  type Admissions,
  type ClientAddress,
  failuresKey,
  type NamedHolder,
  type RateLimiter,
  requestIdOf,
} from '../policy/index.js';
import { grantTypes } from './metadata.js';

/** A request to an endpoint. */
export interface Attempt {
  readonly request: IncomingMessage;
  readonly address: string;
  readonly requestId: string;
  /** Undefined for requests that are not recorded. */
  action: string | undefined;
  client: { readonly name: string; readonly version: string };
  /** Set once the attempt is admitted. */
  admission?: Admission & Pick<Claim, 'isGuess'>;
}

/** The part of an attempt that its limits need. */
export interface Claim extends NamedHolder {
  /** True if a success would show that a code or a token is right. */
  readonly isGuess?: boolean;
}

/** Ports of {@link Attempts}. */
export interface AttemptsOptions {
  /** The `iss` of the gateway's tokens. */
  readonly issuer: string;
  readonly addressOf: ClientAddress;
  /** Their rates count failures by address, and tokens by their holder; undefined if nothing is limited. */
  readonly admissions: Admissions | undefined;
  readonly failedGuesses: FailedGuesses;
  /** Records logins; undefined without an audit log. */
  readonly audit: Pick<AuditRecorder, 'login'> | undefined;
}

/** The part of an entry in the audit log that is known at the end of an attempt. */
export type AttemptOutcome = Omit<AuditedLogin, 'action' | 'client' | 'requestId' | 'address'>;

const unknownClient = { name: 'unknown', version: '' };

/** Names in the audit log. Renewals of workers are most of all requests, and are not recorded. */
const actions: ReadonlyMap<string, string> = new Map([
  [grantTypes.exchange, 'oauth.exchange'],
  [grantTypes.refresh, 'oauth.refresh'],
  [grantTypes.robot, 'oauth.robot'],
  [grantTypes.enrolment, 'oauth.enrol'],
  [grantTypes.attempt, 'oauth.attempt'],
]);

/**
 * Admits requests before anything of them is verified, by {@link Admissions}. Failures are charged to the
 * address, or to a known holder at this address; successes to the holder of the key or the account.
 */
export class Attempts {
  readonly #options: AttemptsOptions;

  constructor(options: AttemptsOptions) {
    this.#options = options;
  }

  /**
   * Runs an attempt until its answer is known.
   * @param failed answers an error, for which the attempt was charged
   */
  async run<T>(
    request: IncomingMessage,
    work: (attempt: Attempt) => Promise<T> | T,
    failed: (error: unknown) => T,
  ): Promise<T> {
    const attempt = this.#begin(request);
    try {
      return await work(attempt);
    } catch (error) {
      return failed(await this.#refused(error, attempt));
    } finally {
      this.end(attempt);
    }
  }

  /** Completes an attempt by the form of its request. */
  name(attempt: Attempt, form: URLSearchParams): void {
    attempt.action = actions.get(form.get('grant_type') ?? '');
    const client = form.get('client_id') ?? '';
    if (/^[\w.:/~-]{1,200}$/.test(client)) attempt.client = { name: client, version: '' };
  }

  /** Waits until an attempt may be verified. @throws DomainError LIMIT_EXCEEDED */
  async admit(attempt: Attempt, claim: Claim): Promise<void> {
    const { admissions } = this.#options;
    if (!admissions) return;
    const { rates } = admissions;
    const admission = await admissions.admit(attempt.address, claim, {
      left: (key) => this.#left(key, rates, claim),
      refusalOf: (holder) => rates.refusalOfHolder(holder),
    });
    attempt.admission = { ...admission, isGuess: claim.isGuess ?? false };
  }

  /** Charges the holder of an admitted attempt, and remembers it with further names that it has now. */
  succeeded(attempt: Attempt, names: readonly (string | undefined)[] = []): void {
    this.remember(attempt);
    this.#options.admissions?.remember(...names);
    const holder = attempt.admission?.holder;
    // What it got cannot be taken back: the next request of a holder that has used up its rate is refused.
    if (holder !== undefined) this.#rates?.useByHolder(holder, { operations: 1 });
  }

  /** Remembers the holder of an admitted attempt, which was verified: from here on, failures are its own. */
  remember(attempt: Attempt): void {
    const { admission, address } = attempt;
    if (admission?.holder === undefined) return;
    this.#options.admissions?.remember(admission.holder);
    attempt.admission = { ...admission, key: failuresKey(address, admission.holder) };
  }

  /** Charges and records a failure. Returns the error to answer with. */
  async #refused(error: unknown, attempt: Attempt): Promise<unknown> {
    if (!isDomainError(error) || error.http >= 500 || isOfRate(error)) return error;
    // A client learns by this error that it must not use its nonce here.
    if (error.details.field === nonceField) return this.#chargeStranger(attempt) ?? error;
    const { reusedBy } = error.details as { readonly reusedBy?: string };
    if (reusedBy === undefined) this.record(attempt, null, [error.code]);
    else this.record(attempt, humanHolder(reusedBy), ['REFRESH_TOKEN_REUSED', error.code]);
    // An expired token was signed by a trusted issuer: its holder must learn that it has expired.
    if (error.code === 'TOKEN_EXPIRED') return this.#chargeStranger(attempt) ?? error;
    return this.charge(attempt) ?? (await this.#guessed(error, attempt)) ?? error;
  }

  /** Charges the address, or the holder at this address. Returns the error if nothing is left. */
  charge({ address, admission }: Attempt): DomainError | undefined {
    return this.#rates?.useByAddress(admission?.key ?? address, { operations: 1 });
  }

  /** Charges the address for a failure that costs a known holder nothing. */
  #chargeStranger(attempt: Attempt): DomainError | undefined {
    const { admission, address } = attempt;
    return admission === undefined || admission.key === address ? this.charge(attempt) : undefined;
  }

  /** Charges the address for a document that everybody may read. @throws DomainError LIMIT_EXCEEDED */
  chargePublic({ address }: Attempt): void {
    const error = this.#rates?.useByHolder(`public ${address}`, { operations: 1 });
    if (error) throw error;
  }

  /** Ends an attempt, so that the next one of its address can start. */
  end({ admission }: Attempt): void {
    admission?.leave();
  }

  /** Records an attempt. @param codes reasons of a refusal @param concerned what it concerns */
  record(
    attempt: Attempt,
    holder: TokenHolder | null,
    codes: readonly string[] = [],
    concerned: Pick<AttemptOutcome, 'targets' | 'experiment'> = {},
  ): void {
    this.recordAs(attempt, { ...concerned, actor: holder && this.#actorOf(holder), codes });
  }

  /** Records an attempt with what it concerns. */
  recordAs({ action, client, requestId, address }: Attempt, outcome: AttemptOutcome): void {
    if (action !== undefined) this.#options.audit?.login({ ...outcome, action, client, requestId, address });
  }

  get #rates(): RateLimiter | undefined {
    return this.#options.admissions?.rates;
  }

  #begin(request: IncomingMessage): Attempt {
    const address = this.#options.addressOf(request);
    const requestId = requestIdOf(request.headers['x-request-id']);
    return { request, address, requestId, action: undefined, client: unknownClient };
  }

  /** Failures with a key that are allowed now; guesses have a limit of their own, over all gateways. */
  #left(key: string, rates: RateLimiter, { isGuess = false }: Claim): number | DomainError {
    const { failedGuesses } = this.#options;
    const operations = rates.leftOfAddress(key);
    const guesses = isGuess ? rates.guesses : undefined;
    if (!guesses || typeof operations !== 'number') return operations;
    const left = failedGuesses.left(key, guesses);
    if (left >= 1) return Math.min(operations, left);
    return rates.tooManyGuesses(failedGuesses.secondsUntilNext(key, guesses)) ?? operations;
  }

  /** Counts a wrong guess for all gateways; the error if it was one too many. */
  async #guessed({ code, details }: DomainError, { admission }: Attempt): Promise<DomainError | undefined> {
    const { failedGuesses } = this.#options;
    const rates = this.#rates;
    const limit = rates?.guesses;
    const isGuess = admission?.isGuess === true && code === 'UNAUTHENTICATED' && details.field !== 'dpop';
    if (!limit || !isGuess || (await failedGuesses.add(admission.key, limit))) return undefined;
    return rates?.tooManyGuesses(failedGuesses.secondsUntilNext(admission.key, limit));
  }

  #actorOf({ kind, subject, actsFor, tokenId }: TokenHolder): AuditedLogin['actor'] {
    const { issuer } = this.#options;
    const human = kind === 'HUMAN' ? subject : actsFor;
    return { kind, subject, human, issuer, tokenId, tokenKind: null, worker: null };
  }
}

/** An error of {@link RateLimiter} or {@link AttemptGate}: the request was charged before, or not started. */
function isOfRate({ code, details }: DomainError): boolean {
  return code === 'LIMIT_EXCEEDED' && details['retryAfterSeconds'] !== undefined;
}
