/** Rules of experiments: who may see which, and how one is registered. */
import { type InputError, InputErrors } from '@rhizome/errors';
import { experimentsFor, type Principal } from '@rhizome/authz';
import type { Clock } from '@rhizome/clock';
import type { ExperimentDocument } from './experiment.document.js';
import type { ExperimentsRepository } from './experiments.repository.js';

/** What {@link ExperimentsService} is made of. */
export interface ExperimentsOptions {
  readonly repository: ExperimentsRepository;
  /** Gives a new experiment its first share; called before the experiment is there, and again when repeated. */
  readonly prepareShares: (experiment: string) => Promise<void>;
  readonly clock: Clock;
}

/** An experiment to register. */
export interface RegisterExperiment {
  readonly name: string;
  readonly title: string;
  readonly description?: string | null | undefined;
}

/** The experiment, or why it was refused. */
export interface RegisteredExperiment {
  readonly experiment: ExperimentDocument | null;
  readonly userErrors: readonly InputError<'EXPERIMENT_NAME_TAKEN'>[];
}

/** The form of an experiment's name. */
export const experimentName = /^[a-z][a-z0-9-]{0,30}$/;

/** See the head of this file. */
export class ExperimentsService {
  readonly #options: ExperimentsOptions;

  constructor(options: ExperimentsOptions) {
    this.#options = options;
  }

  /** One experiment by name, or null. */
  async find(name: string): Promise<ExperimentDocument | null> {
    return (await this.findMany([name]))[0] ?? null;
  }

  /** Experiments by name, one answer a name. */
  findMany(names: readonly string[]): Promise<readonly (ExperimentDocument | null)[]> {
    return this.#options.repository.directory.find(names);
  }

  /** All experiments as they are stored now, by name. */
  all(): Promise<readonly ExperimentDocument[]> {
    return this.#options.repository.directory.fresh();
  }

  /** One experiment, as it is stored now; null where there is none that the principal may read. */
  async visible(name: string, principal: Principal): Promise<ExperimentDocument | null> {
    const visible = experimentsFor(principal, 'experiment:read');
    return visible === '*' || visible.includes(name) ? this.find(name) : null;
  }

  /** The experiments that a principal may read, by name. */
  async visibleTo(principal: Principal): Promise<readonly ExperimentDocument[]> {
    const visible = experimentsFor(principal, 'experiment:read');
    return (await this.all()).filter(({ _id }) => visible === '*' || visible.includes(_id));
  }

  /** Names of those that are not registered. */
  async missing(names: readonly string[]): Promise<ReadonlySet<string>> {
    const found = await this.findMany(names);
    return new Set(names.filter((_name, index) => !found[index]));
  }

  /** Registers an experiment; the same again gives the same. */
  async register(input: RegisterExperiment, principal: Principal): Promise<RegisteredExperiment> {
    const errors = check(input);
    if (!errors.isEmpty) return { experiment: null, userErrors: errors.all };
    const { repository, prepareShares, clock } = this.#options;
    // Whoever sees the experiment finds its share: it is made first. A share of no experiment does no harm.
    await prepareShares(input.name);
    const now = clock.now();
    const stored = await repository.insert({
      _id: input.name,
      schemaVersion: 1,
      revision: 1,
      createdAt: now,
      updatedAt: now,
      title: input.title,
      ...(input.description ? { description: input.description } : {}),
      registeredBy: principal.subject,
    });
    if (stored.title === input.title && (stored.description ?? '') === (input.description ?? '')) {
      return { experiment: stored, userErrors: [] };
    }
    const message = `name: experiment "${input.name}" is registered with the title "${stored.title}" and another text; take another name`;
    errors.report('EXPERIMENT_NAME_TAKEN', ['name'], message);
    return { experiment: null, userErrors: errors.all };
  }
}

function check({ name, title, description }: RegisterExperiment): InputErrors<'EXPERIMENT_NAME_TAKEN'> {
  const errors = new InputErrors<'EXPERIMENT_NAME_TAKEN'>();
  const form = '1 to 31 lower-case letters, digits and "-", beginning with a letter';
  errors.form(['name'], name, experimentName, form);
  errors.text(['title'], title, 1, 100);
  if (description) errors.text(['description'], description, 1, 500);
  return errors;
}
