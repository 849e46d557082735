/** Start and stop of a core process. */
import { ensureCollections, recordDeclarations, runMigrations } from '@rhizome/mongo';
import { afterRestore } from './restore/after-restore.repository.js';
import { coreCollections, coreMigrations } from './migrations.js';
import type { CoreOptions } from './core-config.js';
import type { Components } from './components.js';

/** Components in the order in which they start and stop. */
export class Lifecycle {
  readonly #options: CoreOptions;
  readonly #components: Components;
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  isStarted = false;

  constructor(options: CoreOptions, components: Components) {
    this.#options = options;
    this.#components = components;
  }

  start(): Promise<void> {
    return (this.#starting ??= this.#start());
  }

  stop(): Promise<void> {
    return (this.#stopping ??= this.#stop());
  }

  async #start(): Promise<void> {
    const { db, log, clock } = this.#options;
    const {
      events,
      directories,
      secrets,
      suspendedTasks,
      limitedTasks,
      fleet,
      jobs,
      failures,
      hosts,
      canaries,
      units,
      workflows,
      fleets,
      gates,
      files,
      datasets,
    } = this.#components;
    await runMigrations(db, coreMigrations, {
      ...{ log, clock, isCreatedLatest: true },
      afterRestore: (restored, mark) => afterRestore(restored, mark, clock.now()),
    });
    await ensureCollections(db, coreCollections, { log });
    await recordDeclarations(db, coreCollections, coreMigrations);
    await events.start();
    // Changes after this position of the stream are delivered, so values read now do not become stale.
    await directories.start();
    await Promise.all([suspendedTasks.start(), limitedTasks.start(), gates.start()]);
    events.leadWith(fleet.leadership);
    jobs.start();
    failures.work.start();
    hosts.watch.start();
    hosts.measuring.start();
    canaries.runner.start();
    units.start(fleet.leadership);
    workflows.start();
    fleets.start();
    secrets.start(fleet.leadership);
    files.start();
    datasets.start();
    await fleet.start();
    this.isStarted = true;
    log.info('core started');
  }

  async #stop(): Promise<void> {
    const {
      events,
      directories,
      secrets,
      suspendedTasks,
      limitedTasks,
      writer,
      fleet,
      jobs,
      failures,
      hosts,
      canaries,
      units,
      workflows,
      fleets,
      gates,
      files,
      datasets,
    } = this.#components;
    this.isStarted = false;
    await this.#starting?.catch(() => undefined);
    // Leadership first: all work of its term ends with it, and another process can lead at once.
    await fleet.stop();
    await jobs.stop();
    await failures.work.stop();
    await hosts.watch.stop();
    await hosts.measuring.stop();
    await canaries.runner.stop();
    await units.stop();
    await workflows.stop();
    await fleets.stop();
    await secrets.stop();
    await files.stop();
    await datasets.stop();
    suspendedTasks.stop();
    limitedTasks.stop();
    gates.stop();
    directories.stop();
    await events.stop();
    await writer.close();
  }
}
