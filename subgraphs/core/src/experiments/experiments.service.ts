/** Rules of experiments: visibility and registration. */
import { type InputError, InputErrors } from '@rhizome/errors';
import { experimentsFor, type Principal } from '@rhizome/authz';
import type { Clock } from '@rhizome/clock';
import { canonicalJson } from '@rhizome/digest';
import {
  checkContinuityPolicy,
  type ContinuityPolicyInput,
  mergeContinuityPolicy,
} from '../shared/continuity.js';
import { type ExperimentDocument, experimentSchemaVersion } from './experiment.document.js';
import type { ExperimentsRepository } from './experiments.repository.js';

/** Dependencies of {@link ExperimentsService}. */
export interface ExperimentsOptions {
  readonly repository: ExperimentsRepository;
  /**
   * Creates the first share of a new experiment. Called before the experiment exists, and again on a
   * repetition.
   */
  readonly prepareShares: (experiment: string) => Promise<void>;
  readonly clock: Clock;
}

/** Experiment to register. */
export interface RegisterExperiment {
  readonly name: string;
  readonly title: string;
  readonly description?: string | null | undefined;
  readonly continuity?: ContinuityPolicyInput | null | undefined;
}

/** The experiment, or the errors because of which it was refused. */
export interface RegisteredExperiment {
  readonly experiment: ExperimentDocument | null;
  readonly userErrors: readonly InputError<'EXPERIMENT_NAME_TAKEN'>[];
}

/** Pattern of experiment names. */
export const experimentName = /^[a-z][a-z0-9-]{0,30}$/;

/** Reads and registers experiments. */
export class ExperimentsService {
  readonly #options: ExperimentsOptions;

  constructor(options: ExperimentsOptions) {
    this.#options = options;
  }

  /** Returns an experiment by name, or null. */
  async find(name: string): Promise<ExperimentDocument | null> {
    return (await this.findMany([name]))[0] ?? null;
  }

  /** Experiments by name, one entry per name. */
  findMany(names: readonly string[]): Promise<readonly (ExperimentDocument | null)[]> {
    return this.#options.repository.directory.find(names);
  }

  /** All experiments as stored now, by name. */
  all(): Promise<readonly ExperimentDocument[]> {
    return this.#options.repository.directory.fresh();
  }

  /** Experiment as stored now; null if there is none or the principal may not read it. */
  async visible(name: string, principal: Principal): Promise<ExperimentDocument | null> {
    const visible = experimentsFor(principal, 'experiment:read');
    return visible === '*' || visible.includes(name) ? this.find(name) : null;
  }

  /** Experiments that a principal may read, by name. */
  async visibleTo(principal: Principal): Promise<readonly ExperimentDocument[]> {
    const visible = experimentsFor(principal, 'experiment:read');
    return (await this.all()).filter(({ _id }) => visible === '*' || visible.includes(_id));
  }

  /** Filters the names by those that are not registered. */
  async missing(names: readonly string[]): Promise<ReadonlySet<string>> {
    const found = await this.findMany(names);
    return new Set(names.filter((_name, index) => !found[index]));
  }

  /** Registers an experiment. A repetition returns the same experiment. */
  async register(input: RegisterExperiment, principal: Principal): Promise<RegisteredExperiment> {
    const errors = check(input);
    if (!errors.isEmpty) return { experiment: null, userErrors: errors.all };
    const { repository, prepareShares, clock } = this.#options;
    // The share is created first, so that everyone who sees the experiment finds it. A share without an
    // experiment is harmless.
    await prepareShares(input.name);
    const now = clock.now();
    const continuity = mergeContinuityPolicy(undefined, input.continuity);
    const stored = await repository.insert({
      _id: input.name,
      schemaVersion: experimentSchemaVersion,
      revision: 1,
      createdAt: now,
      updatedAt: now,
      title: input.title,
      ...(input.description ? { description: input.description } : {}),
      ...(continuity ? { continuity } : {}),
      registeredBy: principal.subject,
    });
    if (isSame(stored, input, continuity)) return { experiment: stored, userErrors: [] };
    const message = `name: experiment "${input.name}" is already registered with title "${stored.title}" and another description or continuity; use another name`;
    errors.report('EXPERIMENT_NAME_TAKEN', ['name'], message);
    return { experiment: null, userErrors: errors.all };
  }
}

function isSame(
  stored: ExperimentDocument,
  { title, description }: RegisterExperiment,
  continuity: ExperimentDocument['continuity'],
): boolean {
  return (
    stored.title === title &&
    (stored.description ?? '') === (description ?? '') &&
    canonicalJson(stored.continuity ?? {}) === canonicalJson(continuity ?? {})
  );
}

function check({
  name,
  title,
  description,
  continuity,
}: RegisterExperiment): InputErrors<'EXPERIMENT_NAME_TAKEN'> {
  const errors = new InputErrors<'EXPERIMENT_NAME_TAKEN'>();
  const form = '1 to 31 lower-case letters, digits and "-", beginning with a letter';
  errors.form(['name'], name, experimentName, form);
  errors.text(['title'], title, 1, 100);
  if (description) errors.text(['description'], description, 1, 500);
  checkContinuityPolicy(errors, ['continuity'], mergeContinuityPolicy(undefined, continuity));
  return errors;
}
