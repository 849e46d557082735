/** Jobs of fleets. Their ids follow from the fleet, and the number and time of a decision. */
import { batchJobIds } from '../../jobs/model/job-ids.js';
import type { JobDocument } from '../../jobs/model/job.types.js';
import { newJobDocument } from '../../jobs/model/new-job.js';
import type { FleetDocument } from '../model/fleet.document.js';
import type { FleetMember, FleetTemplate, OpenDecision } from '../model/fleet.types.js';

/** Members for the jobs of a decision. @param step number of the decision */
export function newMembers(
  fleetId: string,
  step: number,
  { start, at }: Pick<OpenDecision, 'start' | 'at'>,
  { version }: Pick<FleetTemplate, 'version'>,
): readonly FleetMember[] {
  const idAt = batchJobIds(`${fleetId}/${step}`, at);
  return start.map((queue, index) => ({ id: idAt(index), version, ...(queue === '' ? {} : { queue }) }));
}

/** Jobs that the newest decision of a fleet starts. */
export function fleetJobs(fleet: FleetDocument, open: OpenDecision, now: Date): readonly JobDocument[] {
  const { _id: fleetId, step, experiment, owner, share, template } = fleet;
  const { version, name, priority, labels, payload, retry } = template;
  return newMembers(fleetId, step, open, template).map(({ id, queue }) => {
    const { requirements, classId } = template.inQueues.find((one) => one.queue === queue) ?? template;
    return newJobDocument(
      {
        ...{ id, createdAt: open.at, experiment, name, owner, share, priority, labels },
        ...{ requirements, classId, payload, retry },
        dependsOn: [],
        waitingFor: [],
        fleet: { id: fleetId, version },
      },
      now,
    );
  });
}
