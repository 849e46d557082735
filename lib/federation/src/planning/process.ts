// Main program of the planner's process, see pool.ts. Ends with its parent.
import { createPlanner, type Planner } from './planner.js';
import type { PlanningCall, PlanningMessage } from './pool.js';

let planner: Planner | undefined;
const send = (message: PlanningMessage): void => {
  process.send?.(message);
};
const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function start(supergraphSdl: string, limits: Parameters<typeof createPlanner>[1]): void {
  try {
    planner = createPlanner(supergraphSdl, limits);
    send({ started: { facts: planner.facts, overrides: planner.overrides } });
  } catch (error) {
    send({ refused: textOf(error) });
  }
}

process.on('message', (message: PlanningCall) => {
  if (message.call === 'start') {
    start(message.supergraphSdl, message.limits);
    return;
  }
  const { id } = message;
  try {
    if (!planner) throw new Error('the planner was not started');
    const answer =
      message.call === 'validate'
        ? planner.validate(message.query, message.operationName)
        : planner.plan(message.request);
    send({ id, answer });
  } catch (error) {
    send({ id, failure: textOf(error) });
  }
});
process.on('disconnect', () => process.exit(0));
// Ctrl-C and the stop of a service manager reach all processes of a group: the gateway's last operations
// still need plans.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
