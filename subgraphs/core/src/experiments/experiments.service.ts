/** Rules of experiments: visibility, registration and changes. */
import { type InputError, InputErrors } from '@rhizome/errors';
import { experimentsFor, type Principal } from '@rhizome/authz';
import type { Clock } from '@rhizome/clock';
import { canonicalJson } from '@rhizome/digest';
import {
  checkContinuityPolicy,
  type ContinuityPolicy,
  type ContinuityPolicyInput,
  mergeContinuityPolicy,
} from '../shared/continuity.js';
import {
  type ExperimentDocument,
  experimentSchemaVersion,
  type ExperimentSettings,
} from './experiment.document.js';
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

/** Changes of an experiment; absent or null members are not changed. */
export interface UpdateExperiment {
  readonly name: string;
  readonly title?: string | null | undefined;
  /** An empty one removes the description. */
  readonly description?: string | null | undefined;
  readonly continuity?: ContinuityPolicyInput | null | undefined;
  readonly expectedRevision?: number | null | undefined;
}

type UpdateCode = 'EXPERIMENT_NOT_FOUND' | 'REVISION_CONFLICT';

/** The experiment, or the errors because of which the call was refused. */
export interface ExperimentResult<C extends string> {
  readonly experiment: ExperimentDocument | null;
  readonly userErrors: readonly InputError<C>[];
}

/** Pattern of experiment names. */
export const experimentName = /^[a-z][a-z0-9-]{0,30}$/;

/** Number of attempts after which a change gives up because of concurrent changes of the same experiment. */
const maxTries = 10;

/** Reads, registers and changes experiments. */
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
    if (visible !== '*' && !visible.includes(name)) return null;
    return (await this.#options.repository.directory.findFresh([name]))[0] ?? null;
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

  /** Registers an experiment. A repetition returns the same experiment, with changes made since. */
  async register(
    input: RegisterExperiment,
    principal: Principal,
  ): Promise<ExperimentResult<'EXPERIMENT_NAME_TAKEN'>> {
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
      ...settingsOf({ ...input, continuity }),
      registeredBy: principal.subject,
    });
    if (isSame(stored.registered ?? stored, input, continuity)) return { experiment: stored, userErrors: [] };
    const message = `name: experiment "${input.name}" is already registered with title "${stored.title}" and another description or continuity; use another name`;
    errors.report('EXPERIMENT_NAME_TAKEN', ['name'], message);
    return { experiment: null, userErrors: errors.all };
  }

  /** Changes an experiment. What jobs have got from it at submit stays. */
  async update(input: UpdateExperiment): Promise<ExperimentResult<UpdateCode>> {
    const { repository, clock } = this.#options;
    const errors = new InputErrors<UpdateCode>();
    for (let tries = 0; tries < maxTries; tries++) {
      const [current] = await repository.directory.findFresh([input.name]);
      if (!current) errors.report('EXPERIMENT_NOT_FOUND', ['name'], `Experiment "${input.name}" not found.`);
      const next = current && changed(current, input);
      if (next) checkUpdate(errors, input, next);
      if (!next || !errors.isEmpty) return { experiment: null, userErrors: errors.all };
      if (next === current) return { experiment: current, userErrors: [] };
      const written = { ...next, revision: current.revision + 1, updatedAt: clock.now() };
      if (await repository.replace(written)) return { experiment: written, userErrors: [] };
    }
    const message = `name: experiment "${input.name}" is being changed by other calls; try again`;
    errors.report('REVISION_CONFLICT', ['name'], message);
    return { experiment: null, userErrors: errors.all };
  }
}

/** Experiment after a change; the same object if nothing changes. */
function changed(current: ExperimentDocument, input: UpdateExperiment): ExperimentDocument {
  const { title, description, continuity, ...rest } = current;
  const settings = settingsOf({ title, description, continuity });
  const next = settingsOf({
    title: input.title ?? title,
    description: input.description ?? description,
    continuity: mergeContinuityPolicy(continuity, input.continuity),
  });
  if (canonicalJson(next) === canonicalJson(settings)) return current;
  return {
    ...rest,
    schemaVersion: experimentSchemaVersion,
    registered: rest.registered ?? settings,
    ...next,
  };
}

/** Settings before they are stored. */
interface GivenSettings {
  readonly title: string;
  readonly description?: string | null | undefined;
  readonly continuity?: ContinuityPolicy | undefined;
}

function settingsOf({ title, description, continuity }: GivenSettings): ExperimentSettings {
  return { title, ...(description ? { description } : {}), ...(continuity ? { continuity } : {}) };
}

function checkUpdate(
  errors: InputErrors<UpdateCode>,
  { expectedRevision }: UpdateExperiment,
  next: ExperimentDocument,
): void {
  const { revision } = next;
  if (typeof expectedRevision === 'number' && expectedRevision !== revision) {
    const message = `expectedRevision: ${expectedRevision} is outdated; the experiment has revision ${revision}`;
    errors.report('REVISION_CONFLICT', ['expectedRevision'], message);
  }
  checkSettings(errors, next);
}

function isSame(
  stored: ExperimentSettings,
  { title, description }: RegisterExperiment,
  continuity: ExperimentSettings['continuity'],
): boolean {
  return (
    stored.title === title &&
    (stored.description ?? '') === (description ?? '') &&
    canonicalJson(stored.continuity ?? {}) === canonicalJson(continuity ?? {})
  );
}

function check({ name, continuity, ...input }: RegisterExperiment): InputErrors<'EXPERIMENT_NAME_TAKEN'> {
  const errors = new InputErrors<'EXPERIMENT_NAME_TAKEN'>();
  const form = '1 to 31 lower-case letters, digits and "-", beginning with a letter';
  errors.form(['name'], name, experimentName, form);
  checkSettings(errors, { ...input, continuity: mergeContinuityPolicy(undefined, continuity) });
  return errors;
}

function checkSettings(errors: InputErrors<string>, { title, description, continuity }: GivenSettings): void {
  errors.text(['title'], title, 1, 100);
  if (description) errors.text(['description'], description, 1, 500);
  checkContinuityPolicy(errors, ['continuity'], continuity);
}
