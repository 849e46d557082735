/** Commands to fleets: change, pause, resume, pre-warm, drain. */
import { type CoreAction, owns, type Principal } from '@rhizome/authz';
import type { Clock } from '@rhizome/clock';
import { digestOf } from '@rhizome/digest';
import { InputErrors } from '@rhizome/errors';
import { type FleetJob, isOutdated, phaseOf } from '../model/job-plan.js';
import type { FleetDocument } from '../model/fleet.document.js';
import {
  ceilingOf,
  type FleetSettings,
  type FleetState,
  fleetStates,
  type FleetTemplate,
} from '../model/fleet.types.js';
import type { FleetChange, FleetJournal, NewDecision } from '../run/fleet-journal.js';
import { drain } from '../run/next-decision.js';
import type { FleetsRepository } from '../store/fleets.repository.js';
import type { JobsRepository } from '../../jobs/model/jobs.repository.js';
import { changeableFleet, type FleetAccessCode } from './fleet-access.js';
import {
  type FleetInputCode,
  type FleetJobInput,
  type FleetSettingsInput,
  settingsOf,
} from './fleet-input.js';
import type { FleetTemplates } from './fleet-templates.js';
import type { FleetResult } from './fleets.service.js';
import { memberStates } from './member-states.js';

type Maybe<T> = T | null | undefined;

/** Dependencies of {@link FleetCommands}. */
export interface FleetCommandsOptions {
  readonly fleets: Pick<FleetsRepository, 'find'>;
  readonly jobs: Pick<JobsRepository, 'find'>;
  readonly templates: FleetTemplates;
  readonly journal: FleetJournal;
  readonly clock: Clock;
}

/** Fleet that a command is for. */
export interface FleetCommand {
  readonly fleetId: string;
  readonly reason?: Maybe<string>;
}

/** Change of a fleet. */
export interface UpdateFleet {
  readonly fleetId: string;
  readonly settings?: Maybe<FleetSettingsInput>;
  readonly job?: Maybe<FleetJobInput>;
  readonly isDryRun?: Maybe<boolean>;
}

/** Jobs to keep until a time. */
export interface PrewarmFleet {
  readonly fleetId: string;
  readonly jobs: number;
  readonly until: Date;
}

/** Codes of commands. */
export type FleetCommandCode = FleetAccessCode | 'FLEET_STATE_CONFLICT';
/** Codes of changes. */
export type UpdateFleetCode = FleetCommandCode | Exclude<FleetInputCode, 'SHARE_NOT_FOUND'>;

type Errors<C extends string> = InputErrors<C | FleetCommandCode>;
type Decide<C extends string> = (fleet: FleetDocument, errors: Errors<C>) => FleetChange | undefined;

const dayMs = 86_400_000;
const open: readonly FleetState[] = ['RUNNING', 'PAUSED'];

/** Changes fleets for callers. */
export class FleetCommands {
  readonly #options: FleetCommandsOptions;

  constructor(options: FleetCommandsOptions) {
    this.#options = options;
  }

  /** Changes settings, or the jobs: those of the earlier version are replaced batch by batch. */
  async update(principal: Principal, input: UpdateFleet): Promise<FleetResult<UpdateFleetCode>> {
    const { templates, clock } = this.#options;
    const errors = new InputErrors<UpdateFleetCode>();
    const fleet = await this.#changeable(errors, principal, 'job:submit', input);
    if (!fleet) return { fleet: null, userErrors: errors.all };
    const { experiment } = fleet;
    const job = input.job ?? undefined;
    // The jobs run as their owner.
    if (job && !owns(principal, fleet.owner))
      errors.report(
        'FORBIDDEN',
        ['job'],
        `You may not change the jobs of fleet "${fleet.name}": it belongs to ${fleet.owner}`,
      );
    if (!input.settings && !job) errors.add(['settings'], null, 'given, unless `job` is');
    const settings = settingsOf(input.settings, fleet.settings);
    const found = await templates.check({ principal, experiment, settings, job });
    for (const { code, path, message } of found)
      if (code !== 'SHARE_NOT_FOUND') errors.report(code, path, message);
    if (job && ceilingOf(settings) <= settings.min)
      errors.add(
        ['job'],
        `jobs for a fleet whose \`min\` is its \`max\`, ${settings.min}`,
        'for a fleet whose `max` is above its `min`: jobs are started before others are released',
      );
    else if (ceilingOf(settings) <= settings.min && isReplacing(fleet, settings))
      errors.add(
        ['settings', 'min'],
        settings.min,
        `less than the most jobs, ${ceilingOf(settings)}, until the jobs of the earlier version are replaced`,
      );
    if (!errors.isEmpty) return { fleet: null, userErrors: errors.all };
    if (input.isDryRun === true) return { fleet, userErrors: [] };
    const now = clock.now();
    const version = fleet.template.version + 1;
    const template = job
      ? await templates.template({ principal, experiment, settings, job }, version, now)
      : await templates.inQueues(fleet.template, settings, now);
    const isNewJob = job !== undefined;
    return this.#change<UpdateFleetCode>(fleet._id, open, (current, late) => {
      if (isSame(current, fleet)) return updated(principal, current, { settings, template }, isNewJob);
      const text = `Fleet "${fleet.name}" was changed meanwhile; try again.`;
      late.report('FLEET_STATE_CONFLICT', ['fleetId'], text);
      return undefined;
    });
  }

  /** Gives the jobs no units, and starts none. */
  pause(principal: Principal, command: FleetCommand): Promise<FleetResult<FleetCommandCode>> {
    return this.#run<FleetCommandCode>(principal, 'job:hold', command, (fleet) => {
      if (fleet.state === 'PAUSED') return undefined;
      const decision = called(principal, fleet, 'PAUSED', command.reason ?? 'paused');
      return { decision, patch: { state: 'PAUSED' } };
    });
  }

  /** Gives the jobs units again. */
  resume(principal: Principal, command: FleetCommand): Promise<FleetResult<FleetCommandCode>> {
    return this.#run<FleetCommandCode>(principal, 'job:hold', command, (fleet) => {
      if (fleet.state === 'RUNNING') return undefined;
      const decision = called(principal, fleet, 'RESUMED', command.reason ?? 'resumed');
      return { decision, patch: { state: 'RUNNING' } };
    });
  }

  /** Keeps at least a number of jobs until a time; 0 ends an earlier request. */
  prewarm(principal: Principal, input: PrewarmFleet): Promise<FleetResult<FleetCommandCode>> {
    const { fleetId, jobs, until } = input;
    const now = this.#options.clock.now();
    return this.#run<FleetCommandCode>(principal, 'job:submit', { fleetId }, (fleet, errors) => {
      errors.int(['jobs'], jobs, 0, ceilingOf(fleet.settings));
      if (until <= now || until.getTime() > now.getTime() + dayMs)
        errors.add(['until'], until.toISOString(), 'a time within the next 24 hours');
      if (!errors.isEmpty) return undefined;
      const message = jobs === 0 ? 'pre-warming ended' : `at least ${jobs} jobs until ${until.toISOString()}`;
      const decision = called(principal, fleet, 'PREWARMED', message);
      return { decision, patch: { prewarm: jobs === 0 ? null : { jobs, until, by: principal.subject } } };
    });
  }

  /** Ends a fleet: its jobs end once they have reported the units that they hold. */
  async drain(principal: Principal, command: FleetCommand): Promise<FleetResult<FleetCommandCode>> {
    const errors = new InputErrors<FleetCommandCode>();
    const known = await this.#changeable(errors, principal, 'job:cancel', command);
    if (!known) return { fleet: null, userErrors: errors.all };
    const states = await memberStates(this.#options.jobs, known);
    return this.#change<FleetCommandCode>(known._id, fleetStates, (fleet) => {
      if (!open.includes(fleet.state)) return undefined;
      const { subject: by } = principal;
      const facts = { reason: 'DRAINED', message: command.reason ?? 'drained', by } as const;
      return drain(
        fleet,
        fleet.members.map((member): FleetJob => ({
          ...member,
          idleSeconds: 0,
          phase: phaseOf(states.get(member.id)),
        })),
        facts,
      );
    });
  }

  /** Changes a fleet that has not begun to end. */
  async #run<C extends string>(
    principal: Principal,
    action: CoreAction,
    command: FleetCommand,
    decide: Decide<C>,
  ): Promise<FleetResult<C | FleetCommandCode>> {
    const errors = new InputErrors<FleetCommandCode>();
    const known = await this.#changeable(errors, principal, action, command);
    if (!known) return { fleet: null, userErrors: errors.all };
    return this.#change(known._id, open, decide);
  }

  /** The fleet as stored if the principal may change it, and the command is valid. Otherwise adds errors. */
  async #changeable(
    errors: Pick<InputErrors<FleetAccessCode>, 'report' | 'text' | 'isEmpty'>,
    principal: Principal,
    action: CoreAction,
    { fleetId, reason }: FleetCommand,
  ): Promise<FleetDocument | undefined> {
    if (reason != null) errors.text(['reason'], reason, 1, 500);
    const stored = await this.#options.fleets.find(fleetId);
    const known = changeableFleet(errors, principal, action, fleetId, stored);
    return errors.isEmpty ? known : undefined;
  }

  async #change<C extends string>(
    fleetId: string,
    states: readonly FleetState[],
    decide: Decide<C>,
  ): Promise<FleetResult<C | FleetCommandCode>> {
    let errors: Errors<C> = new InputErrors();
    const fleet = await this.#options.journal.change(fleetId, (current) => {
      // Decided again if another change was recorded meanwhile.
      errors = new InputErrors();
      if (states.includes(current.state)) return decide(current, errors);
      const text = `Fleet "${current.name}" is ${current.state}; must be ${states.join(' or ')}.`;
      errors.report('FLEET_STATE_CONFLICT', ['fleetId'], text);
      return undefined;
    });
    return { fleet: errors.isEmpty ? fleet : null, userErrors: errors.all };
  }
}

/** True if neither the settings nor the jobs have changed. */
function isSame(one: FleetDocument, other: FleetDocument): boolean {
  const { settings, template } = other;
  return one.template.version === template.version && digestOf(one.settings) === digestOf(settings);
}

/** True if jobs have to be replaced with these settings. */
function isReplacing({ members, template }: FleetDocument, { queues }: FleetSettings): boolean {
  return members.some((member) => !member.releasedAt && isOutdated(member, template.version, queues));
}

/** Decision of a person, which changes no number of jobs itself. */
function called(
  { subject: by }: Principal,
  { target, members }: FleetDocument,
  reason: NewDecision['reason'],
  message: string,
): NewDecision {
  const jobs = members.filter(({ releasedAt }) => !releasedAt).length;
  return { reason, message, by, target, previousTarget: target, jobs };
}

function updated(
  principal: Principal,
  fleet: FleetDocument,
  patch: { readonly settings: FleetSettings; readonly template: FleetTemplate },
  isNewJob: boolean,
): FleetChange {
  const message = isNewJob ? `version ${patch.template.version} of the jobs` : 'settings changed';
  // A new program may do better than the one that failed.
  return {
    decision: called(principal, fleet, 'UPDATED', message),
    patch: { ...patch, runningBefore: null, ...(isNewJob ? { failures: null } : {}) },
  };
}
