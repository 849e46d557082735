import type { PolicyScopeInput } from '../../types.generated.js';
import type { PolicyScope } from '../policy.types.js';

/** Scope in terms of the domain; GraphQL admits exactly one member (`@oneOf`). */
export function scopeOf({ experiment, queue, taskId }: PolicyScopeInput): PolicyScope {
  if (experiment != null) return { kind: 'EXPERIMENT', name: experiment };
  if (queue != null) return { kind: 'QUEUE', name: queue };
  return { kind: 'TASK', name: taskId ?? '' };
}
