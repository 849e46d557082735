/** Checks the jobs of a fleet against the store, and brings them into the stored form. */
import type { Principal } from '@rhizome/authz';
import { type InputError, InputErrors } from '@rhizome/errors';
import type {
  ExperimentDirectory,
  ExperimentFacts,
  JobSecrets,
  QueueDirectory,
  SubmissionConsents,
} from '../../jobs/ports.js';
import type { ClassesRepository } from '../../jobs/model/requirement-classes.repository.js';
import { classIdOf } from '../../jobs/model/requirement-class-id.js';
import { classifier } from '../../jobs/submit/classifier.js';
import type { JobInputErrorCode } from '../../jobs/submit/job-input-error.types.js';
import { payloadBytes } from '../../jobs/submit/live-quota.js';
import { normalisePayload, normaliseRetry } from '../../jobs/submit/normalise.js';
import { type CheckSelector, requirementChecks } from '../../jobs/submit/requirement-checks.js';
import { checkSecretIds, lookUpSecrets } from '../../jobs/submit/secret-lookup.js';
import type { FleetSettings, FleetTemplate } from '../model/fleet.types.js';
import {
  addJobErrors,
  checkFleetJob,
  checkSettings,
  type FleetInputCode,
  type FleetJobInput,
} from './fleet-input.js';

/** Dependencies of {@link FleetTemplates}. */
export interface FleetTemplatesOptions {
  readonly experiments: ExperimentDirectory;
  readonly queues: QueueDirectory;
  readonly consents: Pick<SubmissionConsents, 'secretNames'>;
  readonly secrets: JobSecrets;
  readonly classes: Pick<ClassesRepository, 'ensure'>;
  readonly checkSelector: CheckSelector;
}

/** Jobs of a fleet of an experiment. */
export interface TemplateRequest {
  readonly principal: Principal;
  readonly experiment: string;
  readonly settings: FleetSettings;
  /** Absent if only the settings change. */
  readonly job?: FleetJobInput | undefined;
}

/** Prepares the jobs of fleets. */
export class FleetTemplates {
  readonly #options: FleetTemplatesOptions;

  constructor(options: FleetTemplatesOptions) {
    this.#options = options;
  }

  experiment(name: string): Promise<ExperimentFacts | null> {
    return this.#options.experiments.find(name);
  }

  /** Errors of settings and jobs. */
  async check({
    principal,
    experiment: name,
    settings,
    job,
  }: TemplateRequest): Promise<readonly InputError<FleetInputCode>[]> {
    const errors = new InputErrors<FleetInputCode>();
    const experiment = await this.experiment(name);
    const named = settings.queues.map(({ queue }) => ({ queue }));
    const checks = await requirementChecks(this.#options, experiment, [job?.requirements, ...named], {
      owner: principal.subject,
      payloads: [job?.payload],
    });
    checkSettings(errors, settings, checks.queue);
    if (job) checkFleetJob(errors, job, settings, checks);
    if (!job?.payload.secrets || !errors.isEmpty) return errors.all;
    const found = new InputErrors<JobInputErrorCode>();
    checkSecretIds(job.payload, ['job', 'payload'], await this.#secretIds(principal, name, job), found);
    addJobErrors(errors, found);
    return errors.all;
  }

  /** The stored form of checked jobs. Their requirement classes exist afterwards. */
  async template(
    { principal, experiment: name, settings, job }: TemplateRequest & { readonly job: FleetJobInput },
    version: number,
    now: Date,
  ): Promise<FleetTemplate> {
    const experiment = await this.experiment(name);
    const classOf = classifier({ name, ...experiment });
    // Without a token, a job could lease no units.
    const payload = { ...job.payload, isTokenRequired: true };
    const classified = classOf({ payload, requirements: job.requirements, continuity: job.continuity });
    await this.#options.classes.ensure(classOf.classes, now);
    const template = {
      ...classified,
      version,
      name: job.name,
      priority: job.priority ?? 0,
      labels: (job.labels ?? []).map(({ key, value }) => ({ key, value })),
      payload: normalisePayload(payload, await this.#secretIds(principal, name, job)),
      retry: normaliseRetry(job.retry),
      bytes: payloadBytes(payload),
    };
    return this.inQueues(template, settings, now);
  }

  /** The template with its requirements in each queue of the fleet, whose classes exist afterwards. */
  async inQueues(
    template: Omit<FleetTemplate, 'inQueues'>,
    { queues }: Pick<FleetSettings, 'queues'>,
    now: Date,
  ): Promise<FleetTemplate> {
    const inQueues = queues.map(({ queue }) => {
      const requirements = { ...template.requirements, queue };
      return { queue, requirements, classId: classIdOf(requirements) };
    });
    const classes = new Map(inQueues.map(({ classId, requirements }) => [classId, requirements]));
    await this.#options.classes.ensure(classes, now);
    return { ...template, inQueues };
  }

  #secretIds(principal: Principal, experiment: string, { payload }: FleetJobInput) {
    return lookUpSecrets(this.#options, { principal, owner: principal.subject, experiment }, [payload]);
  }
}
