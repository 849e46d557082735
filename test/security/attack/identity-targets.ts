/** Objects of the gateway with identities at which attacks aim. */
import { apiOf } from '../../e2e/system/api.js';
import { enrolled, type WorkerPlace } from '../../e2e/system/worker-credentials.js';
import { robotInput } from '../robot-inputs.js';
import type { Evidence } from './evidence.js';

/** Objects of the experiment atlas, which no role of larkspur may reach. */
export interface IdentityTargets {
  readonly robot: string;
  readonly robotKey: string;
  readonly group: string;
  /** Enrolment of a worker in a queue of atlas. */
  readonly enrolment: string;
}

/** Makes the objects. @param queue one of atlas */
export async function prepareIdentityTargets(
  place: WorkerPlace,
  queue: string,
  evidence: Evidence,
): Promise<IdentityTargets> {
  const api = apiOf(place.url, place.token);
  const { robot } = await api.change<{ robot: { id: string; keys: [{ id: string }] } }>(
    'registerRobot',
    robotInput('atlas'),
    'robot { id keys { id } }',
  );
  const crew = { experiment: 'atlas', name: 'crew', roles: ['USER'] };
  const { group } = await api.change<{ group: { id: string } }>('setGroup', crew, 'group { id }');
  const { credential, code } = await enrolled(place, { name: 'target', queue, experiments: ['atlas'] });
  evidence.plant('token', [code]);
  return {
    ...{ robot: robot.id, robotKey: robot.keys[0].id, group: group.id },
    enrolment: credential.enrolmentId ?? '',
  };
}
