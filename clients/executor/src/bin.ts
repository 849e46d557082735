#!/usr/bin/env node
import { systemClock } from '@rhizome/clock';
import { isDomainError } from '@rhizome/errors';
import { createLogger, logUnhandledRejections } from '@rhizome/log';
import { Command } from 'commander';
import { readConfig } from './config.js';
import { connect } from './run/core-calls.js';
import { Executor } from './run/executor.js';
import { providerOf } from './run/providers.js';
import { executorVersion } from './version.js';

/** Exit codes: 0 stopped in order, 1 a fault, or no answer of a batch system, 64 wrong configuration. */
const exitCodes = { ended: 0, fault: 1, usage: 64 } as const;

async function run(file: string): Promise<void> {
  const config = readConfig(file, process.env);
  const log = createLogger({ name: 'executor', level: config.logLevel });
  logUnhandledRejections(log);
  const stopping = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stopping.abort());
  const client = connect(config, log);
  try {
    const executor = new Executor({ config, client, environment: process.env, clock: systemClock, log });
    log.info({ executor: config.name, queues: config.queues.map(({ queue }) => queue) }, 'executor started');
    await executor.run(stopping.signal);
    log.info('executor ended');
  } finally {
    await client.close();
  }
}

/** Prints what the batch systems of the queues say of themselves. */
async function check(file: string): Promise<void> {
  const config = readConfig(file, process.env);
  for (const queue of config.queues) {
    const provider = providerOf(config, queue, process.env);
    process.stdout.write(`queue ${queue.queue}: ${queue.provider.kind}\n`);
    for (const fact of await provider.describe()) process.stdout.write(`  ${fact}\n`);
    const listing = await provider.list();
    if (!listing.isComplete) throw new Error(listing.reason);
    process.stdout.write(`  ${listing.jobs.length} batch jobs of pilots\n`);
  }
}

const command = new Command('rhizome-executor')
  .description('Starts pilots on batch systems where jobs wait for them.')
  .version(executorVersion);
command
  .command('run')
  .description('Starts pilots until it is stopped; pilots run on.')
  .argument('<file>', 'configuration, as YAML')
  .action(run);
command
  .command('check')
  .description('Checks the configuration, and that the batch systems answer.')
  .argument('<file>', 'configuration, as YAML')
  .action(check);

try {
  await command.parseAsync();
} catch (error) {
  console.error(`rhizome-executor: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = isDomainError(error) ? exitCodes.usage : exitCodes.fault;
}
