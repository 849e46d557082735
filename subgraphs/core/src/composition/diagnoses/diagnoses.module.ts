/** Assembles the explanations of states by their causes. */
import type { Clock } from '@rhizome/clock';
import { DiagnosesService } from '../../diagnosis/diagnoses.service.js';
import { GroupDiagnosesService } from '../../diagnosis/group-diagnoses.service.js';
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
): { readonly diagnoses: DiagnosesService; readonly groupDiagnoses: GroupDiagnosesService } {
  const shared = {
    ...{ jobs: jobs.jobs, logs: jobs.jobLogs, errors: failures.errors, hosts: hosts.service },
    ...{ downtimes, queueHealth: canaries.health, clock },
    pending: services.explanations.pending.bind(services.explanations),
  };
  return {
    diagnoses: new DiagnosesService({ ...shared, progress: services.progress, queues }),
    groupDiagnoses: new GroupDiagnosesService({
      ...{ ...shared, fleet: services.cache.fleet },
      progressOf: (tasks) => jobs.tasks.progressOf(tasks),
    }),
  };
}
