/** Assembles workflows: their services, and the work on the leader. */
import type { LeaderWork } from '../../shared/leader-task.js';
import type { EventHandler } from '../../jobs/transitions/event-work.js';
import { WorkflowClones } from '../../workflows/clone/workflow-clone.service.js';
import { WorkflowCommands } from '../../workflows/control/workflow-commands.service.js';
import type { WorkflowCommandsOptions } from '../../workflows/control/workflow-commands.service.js';
import { WorkflowRetries } from '../../workflows/control/workflow-retries.service.js';
import { NodeAdditions } from '../../workflows/grow/node-additions.service.js';
import { PartStore } from '../../workflows/parts/part-store.js';
import { WorkflowParts } from '../../workflows/parts/workflow-parts.service.js';
import { WorkflowSeals } from '../../workflows/parts/workflow-seal.service.js';
import { Journal } from '../../workflows/run/journal.js';
import { NextChange } from '../../workflows/run/next-change.js';
import { NodeStops, type NodeStopsOptions } from '../../workflows/run/node-stops.js';
import { OpenWorkflows } from '../../workflows/run/open-workflows.js';
import { StepWriter, type StepWriterOptions } from '../../workflows/run/step-writer.js';
import { WorkflowWork, type WorkflowWorkOptions } from '../../workflows/run/workflow-work.js';
import {
  WorkflowSubmits,
  type WorkflowSubmitsOptions,
} from '../../workflows/submit/workflow-submit.service.js';
import { LabelLayers } from '../../workflows/views/label-layers.js';
import { NodeFiles } from '../../workflows/views/node-files.js';
import { Workflows } from '../../workflows/views/workflows.service.js';
import type { WorkflowServices } from '../../workflows/workflow-services.types.js';
import type { WorkflowStores } from './workflow-stores.repository.js';

/** Workflows with their background work. */
export interface WorkflowsModule extends WorkflowServices {
  /** Receives the events of jobs on the leader. */
  readonly handler: EventHandler;
  start(): void;
  /** Stops after the steps in progress; leadership must have ended. */
  stop(): Promise<void>;
}

/** Intervals of the work on workflows that differ from the defaults. */
export interface WorkflowsConfig {
  /** Interval at which all active workflows are looked at, in milliseconds. */
  readonly sweepMs?: number;
}

type StoresOfSubmits = keyof WorkflowStores | 'journal';

/** Dependencies of {@link workflowsModule}. */
export interface WorkflowsModuleOptions
  extends
    Omit<WorkflowSubmitsOptions, StoresOfSubmits>,
    Pick<WorkflowWorkOptions, 'onWritten' | 'log'>,
    Pick<WorkflowCommandsOptions, 'access'>,
    Pick<NodeStopsOptions, 'writer'> {
  readonly stores: WorkflowStores;
  readonly jobs: WorkflowWorkOptions['jobs'] & StepWriterOptions['jobs'];
  readonly leader: LeaderWork;
  readonly config: WorkflowsConfig | undefined;
}

/** Creates the services. */
export function workflowsModule(options: WorkflowsModuleOptions): WorkflowsModule {
  const { stores, jobs, writer: transitions, access, quota, leader, onWritten, config, clock, log } = options;
  const { workflows, nodes, nodeJobs, nodeCounts, edges, steps, parts: pieces } = stores;
  const { added, templates } = stores;
  const writer = new StepWriter({ nodes, edges, steps, added, templates, jobs, clock });
  const journal = new Journal({ workflows, writer, clock });
  const next = new NextChange({
    nodes,
    edges,
    added,
    jobs,
    consents: options.consents,
    now: () => clock.now(),
  });
  const stops = new NodeStops({ workflows, nodes, jobs, writer: transitions });
  const work = new WorkflowWork({
    ...{ workflows, nodes, jobs, journal, next, stops, leader, onWritten, clock, log },
    sweepMs: config?.sweepMs,
  });
  const open = new OpenWorkflows({
    ...{ workflows, nodes, edges, parts: pieces, templates, leader, clock, log },
  });
  const parts = new PartStore({ nodes, parts: pieces, journal, clock, classes: options.classes });
  const own = { workflows, nodes, nodeJobs, nodeCounts, edges, pieces, parts, templates, journal };
  const commanded = { workflows, nodes, journal, stops, access, clock };
  return {
    submits: new WorkflowSubmits({ ...options, ...own }),
    parts: new WorkflowParts({ ...options, ...own }),
    seals: new WorkflowSeals({ ...options, ...own }),
    commands: new WorkflowCommands(commanded),
    retries: new WorkflowRetries({
      ...{ ...commanded, nodeJobs, writer, quota },
      ...{ classes: options.classes, queues: options.queues, experiments: options.experiments },
    }),
    additions: new NodeAdditions({ ...options, ...own, added, jobs }),
    clones: new WorkflowClones({ ...options, ...own }),
    views: new Workflows({ workflows, nodes, counts: nodeCounts, edges, clock }),
    labelLayers: new LabelLayers({ workflows, counts: nodeCounts, edges }),
    files: new NodeFiles({ workflows, nodes, jobs }),
    handler: work,
    start() {
      work.start();
      open.start();
    },
    async stop() {
      await Promise.all([work.stop(), open.stop()]);
    },
  };
}
