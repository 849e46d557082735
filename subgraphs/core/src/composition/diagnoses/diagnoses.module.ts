/** Assembles the explanations of states by their causes. */
import type { Clock } from '@rhizome/clock';
import { DiagnosesService } from '../../diagnosis/diagnoses.service.js';
import type { Components } from '../components.js';

/** Creates them. */
export function diagnosesOf(
  {
    directories: { queues, downtimes },
    fleet: { services },
    jobs,
    failures,
    hosts,
    canaries,
  }: Pick<Components, 'directories' | 'fleet' | 'jobs' | 'failures' | 'hosts' | 'canaries'>,
  clock: Clock,
): DiagnosesService {
  return new DiagnosesService({
    ...{ jobs: jobs.jobs, logs: jobs.jobLogs, errors: failures.errors, progress: services.progress },
    ...{ hosts: hosts.service, queues, downtimes, queueHealth: canaries.health, clock },
    pending: (waiting, caller) => services.explanations.pending(waiting, caller),
  });
}
