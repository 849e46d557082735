/** The command line as one tree of commands. */
import { Argument, Command, Help, type Option } from 'commander';
import { type World, explain } from './command.js';
import { addAdmin } from './commands/admin/admin.js';
import { addAudit } from './commands/audit.js';
import { addAccess } from './commands/access.js';
import { addAuth } from './commands/auth.js';
import { addBulk, addCancel, addHold, addPriority, addRelease } from './commands/bulk.js';
import { addDiagnose } from './commands/diagnosis/diagnose.js';
import { addErrors } from './commands/errors/errors.js';
import { addQueues, addWorkers } from './commands/site/fleet.js';
import { addGpus } from './commands/gpus.js';
import { addEnrolment } from './commands/enrolment.js';
import { addExperiment } from './commands/experiment.js';
import { addList } from './commands/list.js';
import { addElevation } from './commands/login/elevation.js';
import { addGroups } from './commands/login/groups.js';
import { addIdentity } from './commands/login/identity.js';
import { addLinks } from './commands/login/links.js';
import { addLogin } from './commands/login/login.js';
import { addRobots } from './commands/login/robots.js';
import { addFetch } from './commands/files/fetch.js';
import { addRun } from './commands/files/run.js';
import { addUploads } from './commands/files/uploads.js';
import { addLogs } from './commands/logs.js';
import { addPolicy } from './commands/policy/policy.js';
import { addMandates } from './commands/mandates/mandates.js';
import { addProposals } from './commands/proposals/proposals.js';
import { addHost } from './commands/site/host.js';
import { addQueue } from './commands/site/queue.js';
import { addRetry } from './commands/retry.js';
import { addSchema } from './commands/schema/index.js';
import { addFleet } from './commands/fleet/fleet.js';
import { addPool } from './commands/pool/pool.js';
import { addSecret } from './commands/secret.js';
import { addShares } from './commands/shares.js';
import { addShow } from './commands/show.js';
import { addStatus } from './commands/site/status.js';
import { addDataset } from './commands/dataset/dataset.js';
import { addFilePolicy } from './commands/dataset/file-policy.js';
import { addStorage } from './commands/storage/storage.js';
import { addSubgraphs } from './commands/subgraphs.js';
import { addSubmit } from './commands/submit.js';
import { addTask } from './commands/task/task.js';
import { addWatch } from './commands/watch.js';
import { addWorkflow } from './commands/workflow/workflow.js';
import { addWhy } from './commands/why.js';
import { addWorker } from './commands/site/worker.js';
import { type Shell, completionScript, shells } from './completion.js';
import { exitCodes } from './exit-codes.js';
import { type Finish, urlOf } from './flags/flags.js';
import { printable } from './output.js';
import { cliVersion } from './version.js';

const help = `
Exit codes: ${exitCodes.ok} success · ${exitCodes.failed} failed or refused · ${exitCodes.usage} wrong usage · ${exitCodes.notFound} not found · ${exitCodes.denied} not permitted · ${exitCodes.unavailable} not reachable · ${exitCodes.interrupted} Ctrl-C
The gateway is taken from --url, then RHIZOME_URL, then the playground's .rhizome/playground.json in this folder or one above, then
"rhizome login". The token is taken from --token-file, then RHIZOME_TOKEN or RHIZOME_TOKEN_FILE, then BEARER_TOKEN or
BEARER_TOKEN_FILE, then the playground, then "rhizome login", then bt_u<uid> in XDG_RUNTIME_DIR or /tmp.`;

/** Runs the command line and returns the exit code; writes only to the streams of `world`. */
export async function run(argv: readonly string[], world: World): Promise<number> {
  let exitCode: number = exitCodes.ok;
  const finish: Finish = async (result) => {
    exitCode = await result;
  };
  const program = createProgram(world, finish);
  try {
    await program.parseAsync([...argv], { from: 'user' });
  } catch (error) {
    if (world.signal.aborted) return exitCodes.interrupted;
    if (isCommanderError(error)) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    const { exitCode: code, message } = explain(error);
    world.stderr.write(`rhizome: ${printable(message, world.stderr)}\n`);
    return code;
  }
  return world.signal.aborted ? exitCodes.interrupted : exitCode;
}

function createProgram(world: World, finish: Finish): Command {
  const program = new Command('rhizome')
    .description('Submit and manage jobs.')
    .version(cliVersion, '--version')
    .option('--url <url>', 'URL of the gateway, such as http://host:4000/graphql', urlOf)
    .option('--token-file <file>', 'file with the token')
    .option('--insecure-transport', 'permit plain http: to a gateway on another host')
    .option('--json', 'print JSON')
    .addHelpText('after', help)
    .configureHelp({ showGlobalOptions: true, optionDescription })
    .exitOverride()
    .configureOutput({
      writeOut: (text) => world.stdout.write(text),
      writeErr: (text) => world.stderr.write(text),
    });
  for (const add of [
    addLogin,
    addIdentity,
    addLinks,
    addElevation,
    addGroups,
    addRobots,
    addAuth,
    addSubmit,
    addRun,
    addFetch,
    addUploads,
    addList,
    addShow,
    addWatch,
    addLogs,
    addCancel,
    addRetry,
    addHold,
    addRelease,
    addPriority,
    addBulk,
    addTask,
    addAccess,
    addSecret,
    addPool,
    addFleet,
    addWorkflow,
    addQueues,
    addQueue,
    addPolicy,
    addWorkers,
    addWorker,
    addHost,
    addStatus,
    addStorage,
    addDataset,
    addFilePolicy,
    addEnrolment,
    addShares,
    addGpus,
    addWhy,
    addDiagnose,
    addErrors,
    addSubgraphs,
    addSchema,
    addAudit,
    addProposals,
    addMandates,
    addExperiment,
    addAdmin,
  ])
    add(program, world, finish);
  program
    .command('completion')
    .description('print shell completions')
    .addArgument(new Argument('<shell>', 'shell').choices(shells))
    .action((shell: Shell) => {
      world.stdout.write(completionScript(program, shell));
    });
  for (const command of program.commands.flatMap((one) => [one, ...one.commands]))
    command.exitOverride().configureOutput(program.configureOutput());
  return program;
}

const plainHelp = new Help();

/** Help text of an option, without the empty default of repeated options. */
function optionDescription(option: Option): string {
  return Array.isArray(option.defaultValue) ? option.description : plainHelp.optionDescription(option);
}

function isCommanderError(error: unknown): error is { exitCode: number; code: string } {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('commander.');
}
