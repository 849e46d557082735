/** Tokens for storage that trusts Rhizome's issuer (WLCG profile), for the payloads of attempts. */
import type { PeopleDirectory } from '@rhizome/authz';
import type { Clock, Ids } from '@rhizome/clock';
import { SignJWT } from 'jose';
import { loginLastsMs } from '../principals/rights-now.js';
import type { SigningKeys } from './signing-keys.js';
import { tokenIdOf } from './token-id.js';
import type { AttemptOfJob } from './token.service.js';

/** A storage, and the paths of it that payloads may use. */
export interface StorageSettings {
  /** Short name, which payloads use. */
  readonly name: string;
  /** The `aud` of its tokens. */
  readonly audience: string;
  /** Experiments whose jobs receive tokens; `*` for all. */
  readonly experiments: readonly string[];
  /** Paths that payloads may read, with `{experiment}`, `{owner}` and `{job}`. */
  readonly read: readonly string[];
  /** Paths below which payloads may create files: not replace or delete them. */
  readonly create: readonly string[];
}

/** An attempt of a job, with the time at which its owner had the right to submit it. */
export interface SubmittedAttempt extends AttemptOfJob {
  readonly submittedAt: Date;
}

/** A token for a storage. */
export interface StorageToken {
  readonly name: string;
  readonly audience: string;
  readonly accessToken: string;
}

/** Ports of {@link StorageTokens}. */
export interface StorageTokensOptions {
  readonly storages: readonly StorageSettings[];
  readonly keys: SigningKeys;
  readonly people: PeopleDirectory;
  readonly clock: Clock;
  readonly ids: Ids;
}

/** Issues the tokens. */
export class StorageTokens {
  readonly #options: StorageTokensOptions;

  constructor(options: StorageTokensOptions) {
    this.#options = options;
  }

  /**
   * A token for each storage of the experiment; none for an owner that has no rights there any more. The
   * caller has checked who holds the attempt, and asks again before the tokens end.
   */
  async ofAttempt(attempt: SubmittedAttempt, lifetimeSeconds: number): Promise<readonly StorageToken[]> {
    const storages = this.#options.storages.filter(({ experiments }) =>
      includes(experiments, attempt.experiment),
    );
    if (storages.length === 0 || !(await this.#hasRights(attempt))) return [];
    return Promise.all(storages.map((storage) => this.#issue(storage, attempt, lifetimeSeconds)));
  }

  async #hasRights({ owner, experiment, submittedAt }: SubmittedAttempt): Promise<boolean> {
    const { people, clock } = this.#options;
    const { grants } = await people.rightsOf(owner);
    // Of owners without a record, such as those of issuers without one, the job is the last that is known.
    if (grants === undefined) return clock.now().getTime() < submittedAt.getTime() + loginLastsMs;
    return grants.some((one) => includes([one.experiment], experiment));
  }

  async #issue(
    { name, audience, read, create }: StorageSettings,
    attempt: AttemptOfJob,
    lifetimeSeconds: number,
  ): Promise<StorageToken> {
    const { keys, clock, ids } = this.#options;
    const { issuer, key, kid } = await keys.signer();
    const issuedAt = Math.floor(clock.now().getTime() / 1000);
    const words = [
      ...read.map((path) => `storage.read:${filled(path, attempt)}`),
      ...create.map((path) => `storage.create:${filled(path, attempt)}`),
    ];
    const accessToken = await new SignJWT({ 'wlcg.ver': '1.0', scope: words.join(' ') })
      .setProtectedHeader({ alg: 'ES256', kid, typ: 'JWT' })
      .setIssuer(issuer)
      .setSubject(attempt.owner)
      .setAudience(audience)
      .setJti(tokenIdOf({ issuerName: undefined, family: ids.next('tok') }, ids.next('n').slice(2)))
      .setIssuedAt(issuedAt)
      .setNotBefore(issuedAt)
      .setExpirationTime(issuedAt + lifetimeSeconds)
      .sign(key);
    return { name, audience, accessToken };
  }
}

const includes = (experiments: readonly string[], experiment: string): boolean =>
  experiments.includes('*') || experiments.includes(experiment);

/** Each value is one segment of the path, whatever characters it has. */
function filled(path: string, { experiment, owner, jobId }: AttemptOfJob): string {
  const values: Readonly<Record<string, string>> = { experiment, owner, job: jobId };
  return path.replaceAll(/\{(experiment|owner|job)\}/g, (_match, name: string) =>
    encodeURIComponent(values[name] ?? '').replaceAll('.', '%2E'),
  );
}
