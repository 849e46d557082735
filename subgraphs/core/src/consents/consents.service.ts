/** Rules of consents: a service submits for the people who allowed it, while they may submit themselves. */
import { can, createPrincipal, type CurrentRights, type Principal } from '@rhizome/authz';
import type { Clock } from '@rhizome/clock';
import { type InputError, InputErrors } from '@rhizome/errors';
import { checkSecretName } from '../shared/secret-name.js';
import type { ConsentDocument } from './consent.document.js';
import type { ConsentsRepository } from './consents.repository.js';

/** Dependencies of {@link ConsentsService}. */
export interface ConsentsOptions {
  readonly repository: ConsentsRepository;
  readonly experimentExists: (name: string) => Promise<boolean>;
  /** Source of the rights that people have now. */
  readonly rights: CurrentRights;
  readonly clock: Clock;
}

/** Consent to store. */
export interface AllowSubmission {
  readonly experiment: string;
  readonly days?: number | null | undefined;
  /** Names of secrets of the caller that jobs of the service may use. */
  readonly secretNames?: readonly string[] | null | undefined;
}

/** The consent, or the errors because of which it was refused. */
export interface ConsentResult {
  readonly consent: ConsentDocument | null;
  readonly userErrors: readonly InputError<'EXPERIMENT_NOT_FOUND'>[];
}

const dayMs = 86_400_000;
const defaultDays = 365;
const maxSecretNames = 100;

/** Consents of people. */
export class ConsentsService {
  readonly #options: ConsentsOptions;

  constructor(options: ConsentsOptions) {
    this.#options = options;
  }

  /** Stores or renews the caller's consent for an experiment's service. */
  async allow({ subject }: Principal, input: AllowSubmission): Promise<ConsentResult> {
    const { repository, experimentExists, clock } = this.#options;
    const { experiment, days } = input;
    const secretNames = [...new Set(input.secretNames)];
    const errors = new InputErrors<'EXPERIMENT_NOT_FOUND'>();
    errors.int(['days'], days, 1, 400);
    errors.list(['secretNames'], secretNames, maxSecretNames);
    secretNames.forEach((name, at) => checkSecretName(errors, ['secretNames', at], name));
    if (!(await experimentExists(experiment)))
      errors.add(['experiment'], experiment, 'a registered experiment', 'EXPERIMENT_NOT_FOUND');
    if (!errors.isEmpty) return { consent: null, userErrors: errors.all };
    const now = clock.now();
    const consent = await repository.put({
      _id: idOf(experiment, subject),
      ...{ schemaVersion: 1, revision: 1, createdAt: now, updatedAt: now },
      ...{ experiment, subject, secretNames },
      expiresAt: new Date(now.getTime() + (days ?? defaultDays) * dayMs),
    });
    return { consent, userErrors: [] };
  }

  /** Removes the caller's consent. @returns whether there was one */
  withdraw({ subject }: Principal, experiment: string): Promise<boolean> {
    return this.#options.repository.remove(idOf(experiment, subject));
  }

  /** The caller's consents that have not ended. */
  async of({ subject }: Principal): Promise<readonly ConsentDocument[]> {
    const now = this.#options.clock.now();
    return (await this.#options.repository.ofSubject(subject)).filter(({ expiresAt }) => expiresAt > now);
  }

  /** Names of the person's secrets that jobs of the experiment's service may use now. */
  async secretNames(experiment: string, subject: string): Promise<readonly string[]> {
    return (await this.#current(experiment, subject))?.secretNames ?? [];
  }

  /**
   * Returns true if the experiment's service may submit for the person now.
   * @throws DomainError SERVICE_UNAVAILABLE if the rights of the person cannot be learned
   */
  async allows(experiment: string, subject: string): Promise<boolean> {
    const { rights, clock } = this.#options;
    if (!(await this.#current(experiment, subject))) return false;
    const now = clock.now();
    const { isRevoked, grants } = await rights.of({ subject, issuedAt: now });
    if (isRevoked) return false;
    if (grants === undefined) return true;
    return can(createPrincipal({ kind: 'HUMAN', subject, grants, expiresAt: now }), 'job:submit', experiment);
  }

  async #current(experiment: string, subject: string): Promise<ConsentDocument | undefined> {
    const { repository, clock } = this.#options;
    const consent = await repository.find(idOf(experiment, subject));
    return consent && consent.expiresAt > clock.now() ? consent : undefined;
  }
}

/** Names of experiments have no slash. */
const idOf = (experiment: string, subject: string): string => `${experiment}/${subject}`;
