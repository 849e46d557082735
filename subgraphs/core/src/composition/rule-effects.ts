/** Carries out effects of rules on tasks and hosts. */
import type { StoredEffect } from '../jobs/model/decision.types.js';
import type { EffectCause, RuleEffects } from '../policies/failure-policies.js';
import { policyActor } from '../policies/failure.types.js';
import { effectText } from '../policies/rule-effects.js';
import type { TaskControl } from '../tasks/control/task-control.js';
import type { HostsService } from '../workers/hosts/hosts.service.js';

/** The services that effects change. */
export interface EffectServices {
  readonly tasks: Pick<TaskControl, 'command' | 'rateSinceResume'>;
  readonly hosts: Pick<HostsService, 'excludeByRule'>;
}

/** Effects on services that exist when the first effect is applied. */
export function ruleEffects(services: () => EffectServices): RuleEffects {
  return { apply: (effect, cause) => applyEffect(effect, cause, services()) };
}

async function applyEffect(
  effect: StoredEffect,
  cause: EffectCause,
  { tasks, hosts }: EffectServices,
): Promise<boolean> {
  const { kind, target, queue, until, rate } = effect;
  // The attempt carries it; it is carried out if the host is excluded.
  if (kind === 'RETRY_IF_HOST_EXCLUDED') return true;
  if (kind !== 'EXCLUDE_HOST') {
    const since = rate && (await tasks.rateSinceResume(target, rate));
    if (rate && since === undefined) return false;
    const reason = effectText(effect, since);
    const action = kind === 'PAUSE_TASK' ? 'PAUSE' : 'FINISH';
    const outcome = await tasks.command(action, target, { by: policyActor, reason });
    return outcome?.hasChanged === true;
  }
  if (queue === undefined || until === undefined) return false;
  const reason = effectText(effect);
  return hosts.excludeByRule({ queue, host: target }, { by: policyActor, reason, until, cause });
}
