/** Services of all domains, as resolvers use them. */
import type { Clock } from '@rhizome/clock';
import type { CoreServices } from '../context.js';
import { experimentFacts, queueDirectory } from './directory-adapters.js';
import { deviceFleetOf } from './device-fleet.js';
import { explainer } from '../scheduler/explain/dry-run.js';
import { diagnosesOf } from './diagnoses/diagnoses.module.js';
import { loggedFields, LogTails } from '../jobs/logs/log-tails.js';
import type { Components } from './components.js';
import { checkSelector } from './check-selector.js';

/** Services of the components. */
export function servicesOf(components: Components, clock: Clock): CoreServices {
  const {
    events,
    directories,
    access,
    consents,
    secrets,
    policies,
    fleet,
    jobs,
    failures,
    hosts,
    canaries,
    units,
    workflows,
    fleets,
    files,
    pilots,
    datasets,
  } = components;
  const { experiments, shares, queues, downtimes, storages } = directories;
  const logTails = new LogTails({
    logs: jobs.jobLogs,
    clock,
    stream: events,
    find: async (id, principal) => (await jobs.jobs.findMany([id], loggedFields, principal))[0] ?? null,
  });
  return {
    experiments,
    shares,
    queues,
    downtimes,
    storages,
    files: files.services,
    queueHealth: canaries.health,
    hosts: hosts.service,
    access,
    consents,
    secrets: secrets.service,
    policies: policies.service,
    simulations: policies.simulations,
    events,
    errors: failures.errors,
    fleet: fleet.services,
    shareUsage: async (paths) =>
      fleet.shareUsage(paths).map(({ cores, memoryMiB, gpus }) => ({
        usedCores: cores,
        usedMemoryMiB: memoryMiB,
        usedGpus: gpus,
      })),
    jobs: jobs.jobs,
    submits: jobs.submits,
    bulk: jobs.bulk,
    jobLogs: jobs.jobLogs,
    logTails,
    devices: deviceFleetOf(fleet.services, queues),
    tasks: jobs.tasks,
    taskCommands: jobs.taskCommands,
    scoutingCommands: jobs.scoutingCommands,
    taskChanges: jobs.taskChanges,
    units,
    workflows,
    fleets,
    pilots,
    datasets,
    pending: (jobs, caller) => fleet.services.explanations.pending(jobs, caller),
    ...diagnosesOf(components, clock),
    explain: explainer({
      experiment: (name) =>
        experimentFacts(
          { experiments, shares, storages, datasets: datasets.facts, deletedPlaces: datasets.deletedPlaces },
          name,
        ),
      queues: queueDirectory(queues),
      checkSelector,
      explain: (asked, input, caller) => fleet.services.explanations.explain(asked, input, caller),
    }),
  };
}
