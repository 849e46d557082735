/** Rules of secrets: storing, replacing, deleting, listing. Values leave core only to workers. */
import { assertCan, can, type Principal } from '@rhizome/authz';
import type { Clock, Ids } from '@rhizome/clock';
import { type InputError, InputErrors } from '@rhizome/errors';
import { checkSecretName } from '../shared/secret-name.js';
import { type Envelope, open, seal } from './envelope.js';
import type { MasterKeys } from './master-keys.types.js';
import { checkVersion } from './secret-input.js';
import { newestOf, ownerOf } from './secret-owner.js';
import type { SecretDocument, SecretScope, SecretVersion } from './secret.document.js';
import type { SecretHolder, SecretsRepository } from './secrets.repository.js';

/** Limits of the secrets of one holder. */
export interface SecretLimits {
  readonly count: number;
  readonly bytes: number;
}

/** Limits unless others are configured. */
export const defaultSecretLimits: SecretLimits = { count: 100, bytes: 1_048_576 };

/** Dependencies of {@link SecretsService}. */
export interface SecretsOptions {
  readonly repository: SecretsRepository;
  /** Undefined in a deployment without secrets. */
  readonly keys: MasterKeys | undefined;
  readonly limits?: Partial<SecretLimits> | undefined;
  readonly experimentExists: (name: string) => Promise<boolean>;
  readonly clock: Clock;
  readonly ids: Ids;
}

interface VersionInput {
  readonly value: string;
  readonly expiresAt?: Date | null | undefined;
}

/** Secret to store. */
export interface CreateSecret extends VersionInput {
  readonly name: string;
  readonly experiment?: string | null | undefined;
}

/** New version of a secret. */
export interface RotateSecret extends VersionInput {
  readonly id: string;
  readonly expectedVersion?: number | null | undefined;
}

/** Codes of `createSecret` in addition to INVALID_VALUE. */
export type CreateSecretCode =
  'EXPERIMENT_NOT_FOUND' | 'SECRET_NAME_TAKEN' | 'SECRET_LIMIT_EXCEEDED' | 'SECRETS_DISABLED';

/** Codes of `rotateSecret` in addition to INVALID_VALUE. */
export type RotateSecretCode =
  'SECRET_NOT_FOUND' | 'REVISION_CONFLICT' | 'SECRET_LIMIT_EXCEEDED' | 'SECRETS_DISABLED';

/** The secret, or the errors because of which the change was refused. */
export interface SecretResult<C extends string> {
  readonly secret: SecretDocument | null;
  readonly userErrors: readonly InputError<C>[];
}

/** Facts of a job that decide which secrets it may use. */
export interface JobFacts {
  readonly owner: string;
  readonly experiment: string;
}

/** Value of a secret. */
export interface RevealedSecret {
  readonly id: string;
  readonly version: number;
  readonly value: Buffer;
}

/** Secret that cannot be delivered. */
export interface UnusableSecret {
  readonly id: string;
  readonly problem: 'SECRET_NOT_FOUND' | 'SECRET_EXPIRED';
}

/** Secrets of users and experiments. */
export class SecretsService {
  readonly #options: SecretsOptions;
  readonly #limits: SecretLimits;

  constructor(options: SecretsOptions) {
    this.#options = options;
    this.#limits = { ...defaultSecretLimits, ...options.limits };
  }

  /** The secrets of the caller, or of an experiment. @throws DomainError FORBIDDEN */
  list(principal: Principal, experiment: string | null | undefined): Promise<readonly SecretDocument[]> {
    const holder = holderOf(principal, experiment);
    if (!maySee(principal, holder)) assertCan(principal, 'secret:use', holder.holder);
    return this.#options.repository.ofHolder(holder);
  }

  /** A secret; null if the caller may not see it. */
  async find(principal: Principal, id: string): Promise<SecretDocument | null> {
    const secret = await this.#options.repository.find(id);
    return secret && maySee(principal, secret) ? secret : null;
  }

  /** Stores a secret. @throws DomainError FORBIDDEN, SERVICE_UNAVAILABLE */
  async create(principal: Principal, input: CreateSecret): Promise<SecretResult<CreateSecretCode>> {
    const { clock, repository, keys, experimentExists } = this.#options;
    const { experiment } = input;
    if (experiment != null) assertCan(principal, 'secret:manage', experiment);
    const errors = new InputErrors<CreateSecretCode>();
    const now = clock.now();
    checkSecretName(errors, ['name'], input.name);
    checkVersion(errors, input, now);
    if (experiment != null && errors.isEmpty && !(await experimentExists(experiment)))
      errors.add(['experiment'], experiment, 'a registered experiment', 'EXPERIMENT_NOT_FOUND');
    if (!keys) reportDisabled(errors);
    if (!errors.isEmpty || !keys) return refused(errors);
    const holder = holderOf(principal, experiment);
    await this.#checkLimit(errors, holder, { count: 1, bytes: Buffer.byteLength(input.value) });
    if (!errors.isEmpty) return refused(errors);
    const secret = await this.#newSecret(principal, holder, input, keys);
    if (!(await repository.insert(secret))) {
      errors.report(
        'SECRET_NAME_TAKEN',
        ['name'],
        `Secret "${input.name}" already exists; rotate it instead.`,
      );
      return refused(errors);
    }
    // Secrets that were created at the same time may be too many: then none of the last ones is kept.
    await this.#checkLimit(errors, holder, { count: 0, bytes: 0 });
    if (errors.isEmpty) return { secret, userErrors: [] };
    await repository.remove(secret._id);
    return refused(errors);
  }

  /** Replaces the value of a secret. @throws DomainError SERVICE_UNAVAILABLE */
  async rotate(principal: Principal, input: RotateSecret): Promise<SecretResult<RotateSecretCode>> {
    const { clock, repository, keys } = this.#options;
    const errors = new InputErrors<RotateSecretCode>();
    checkVersion(errors, input, clock.now());
    const secret = await this.#managed(principal, input.id);
    if (!secret) errors.report('SECRET_NOT_FOUND', ['id'], notFound(input.id));
    if (!keys) reportDisabled(errors);
    if (!errors.isEmpty || !secret || !keys) return refused(errors);
    const { number } = newestOf(secret);
    const bytes = Buffer.byteLength(input.value);
    if (input.expectedVersion != null && input.expectedVersion !== number) reportConflict(errors, number);
    else await this.#checkLimit(errors, secret, { count: 0, bytes: bytes - secret.bytes });
    if (!errors.isEmpty) return refused(errors);
    const version = this.#version(principal, input, number + 1);
    const owner = { id: secret._id, version: version.number, scope: secret.scope, holder: secret.holder };
    const envelope = await this.#seal(input.value, owner, keys);
    const rotated = await repository.addVersion(secret, { version, envelope, bytes });
    if (rotated) return { secret: rotated, userErrors: [] };
    reportConflict(errors, number);
    return refused(errors);
  }

  /** Deletes a secret. @returns whether there was one that the caller may delete */
  async remove(principal: Principal, id: string): Promise<boolean> {
    const secret = await this.#managed(principal, id);
    if (secret) await this.#options.repository.remove(id);
    return secret !== null;
  }

  /**
   * Looks up secrets for jobs of an owner in an experiment: those of the owner if it submits itself,
   * otherwise those that it allowed the submitter to use.
   * @returns the ids of those that the submitter may use, in order; null for others
   */
  async usable(
    principal: Principal,
    { owner, experiment }: JobFacts,
    named: readonly { readonly scope: SecretScope; readonly name: string }[],
    allowed: readonly string[],
  ): Promise<readonly (string | null)[]> {
    const names = [...new Set(named.map(({ name }) => name))];
    const isOwn = principal.subject === owner && can(principal, 'secret:set');
    const ofOwner = isOwn ? names : names.filter((name) => allowed.includes(name));
    const lookUps: (readonly [SecretHolder, readonly string[]])[] = [
      [ofUser(owner), ofOwner],
      [ofExperiment(experiment), can(principal, 'secret:use', experiment) ? names : []],
    ];
    const found = await Promise.all(
      lookUps.map(([holder, some]) => (some.length > 0 ? this.#options.repository.named(holder, some) : [])),
    );
    const ids = new Map(found.flat().map(({ _id, scope, name }) => [`${scope} ${name}`, _id]));
    return named.map(({ scope, name }) => ids.get(`${scope} ${name}`) ?? null);
  }

  /**
   * Values of secrets for a job, in order, and the time of their delivery is stored.
   * @throws DomainError SERVICE_UNAVAILABLE
   */
  async reveal(ids: readonly string[], job: JobFacts): Promise<readonly (RevealedSecret | UnusableSecret)[]> {
    const { repository, keys, clock } = this.#options;
    const now = clock.now();
    const found = new Map((await repository.findMany(ids)).map((secret) => [secret._id, secret]));
    const revealed = await Promise.all(
      ids.map(async (id): Promise<RevealedSecret | UnusableSecret> => {
        const secret = found.get(id);
        if (!keys || !secret || !belongsTo(secret, job)) return { id, problem: 'SECRET_NOT_FOUND' };
        const { number, expiresAt } = newestOf(secret);
        if (expiresAt !== undefined && expiresAt <= now) return { id, problem: 'SECRET_EXPIRED' };
        return { id, version: number, value: await open(secret.envelope, ownerOf(secret), keys) };
      }),
    );
    const delivered = revealed.flatMap((one) => ('value' in one ? [one.id] : []));
    if (delivered.length > 0) await repository.used(delivered, now);
    return revealed;
  }

  async #managed(principal: Principal, id: string): Promise<SecretDocument | null> {
    const secret = await this.#options.repository.find(id);
    if (!secret || !maySee(principal, secret)) return null;
    if (secret.scope === 'EXPERIMENT') assertCan(principal, 'secret:manage', secret.holder);
    return secret;
  }

  async #newSecret(
    principal: Principal,
    holder: SecretHolder,
    input: CreateSecret,
    keys: MasterKeys,
  ): Promise<SecretDocument> {
    const id = this.#options.ids.next('secret');
    const version = this.#version(principal, input, 1);
    const { createdAt } = version;
    return {
      _id: id,
      ...{ schemaVersion: 1, revision: 1, createdAt, updatedAt: createdAt },
      ...holder,
      name: input.name,
      versions: [version],
      envelope: await this.#seal(input.value, { id, version: 1, ...holder }, keys),
      bytes: Buffer.byteLength(input.value),
    };
  }

  #version({ subject }: Principal, { expiresAt }: VersionInput, number: number): SecretVersion {
    const createdAt = this.#options.clock.now();
    return { number, createdAt, createdBy: subject, ...(expiresAt == null ? {} : { expiresAt }) };
  }

  async #seal(value: string, owner: Parameters<typeof seal>[1], keys: MasterKeys): Promise<Envelope> {
    const bytes = Buffer.from(value);
    try {
      return await seal(bytes, owner, keys);
    } finally {
      bytes.fill(0);
    }
  }

  async #checkLimit<C extends string>(
    errors: InputErrors<C | 'SECRET_LIMIT_EXCEEDED'>,
    holder: SecretHolder,
    added: SecretLimits,
  ): Promise<void> {
    const usage = await this.#options.repository.usage(holder);
    const { count, bytes } = this.#limits;
    const code = 'SECRET_LIMIT_EXCEEDED';
    if (usage.count + added.count > count)
      errors.report(code, ['name'], `There are ${count} secrets already; delete one first.`);
    else if (added.bytes >= 0 && usage.bytes + added.bytes > bytes)
      errors.report(code, ['value'], `The values of all secrets must have at most ${bytes} bytes together.`);
  }
}

/** The holder of secrets that a call concerns. */
function holderOf({ subject }: Principal, experiment: string | null | undefined): SecretHolder {
  return experiment == null ? ofUser(subject) : ofExperiment(experiment);
}

const ofUser = (holder: string): SecretHolder => ({ scope: 'USER', holder });
const ofExperiment = (holder: string): SecretHolder => ({ scope: 'EXPERIMENT', holder });

/** True if a job may use the secret: that of its owner, or of its experiment. */
function belongsTo({ scope, holder }: SecretDocument, { owner, experiment }: JobFacts): boolean {
  return holder === (scope === 'USER' ? owner : experiment);
}

/** A user sees its own secrets; those of an experiment are seen by the principals that may use them. */
export function maySee(principal: Principal, { scope, holder }: SecretHolder): boolean {
  if (scope === 'USER') return holder === principal.subject && can(principal, 'secret:set');
  return can(principal, 'secret:use', holder) || can(principal, 'secret:manage', holder);
}

function reportDisabled<C extends string>(errors: InputErrors<C | 'SECRETS_DISABLED'>): void {
  errors.report('SECRETS_DISABLED', [], 'This deployment has no master key for secrets.');
}

function reportConflict<C extends string>(
  errors: InputErrors<C | 'REVISION_CONFLICT'>,
  number: number,
): void {
  errors.report('REVISION_CONFLICT', ['expectedVersion'], `The secret changed; its version was ${number}.`);
}

const notFound = (id: string): string => `Secret ${JSON.stringify(id)} not found.`;

function refused<C extends string>(errors: InputErrors<C>): SecretResult<C> {
  return { secret: null, userErrors: errors.all };
}
