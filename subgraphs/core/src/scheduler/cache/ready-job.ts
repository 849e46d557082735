import type { ReadyJob } from '../scheduler.types.js';

/** The ready job of a stored job or of its event, without the members that it lacks. */
export function readyJobOf(
  id: string,
  { priority, owner, attempt, taskId, avoid, generation }: Omit<ReadyJob, 'id' | 'hasNoOutputs'>,
): ReadyJob {
  const job = { id, priority, owner, attempt };
  return {
    ...job,
    ...(taskId !== undefined && { taskId }),
    ...(avoid && { avoid }),
    ...(generation !== undefined && { generation }),
  };
}
