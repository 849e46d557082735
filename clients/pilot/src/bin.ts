#!/usr/bin/env node
// Each command is loaded on its own: a launcher needs little memory.
const [command = '', ...args] = process.argv.slice(2);

switch (command) {
  case 'enrol': {
    const { enrol } = await import('./commands/enrol.js');
    await enrol(args, process.env);
    break;
  }
  case 'launch': {
    const { launch } = await import('./commands/launch.js');
    process.exit(await launch(args));
    break;
  }
  case 'handover': {
    const { handover } = await import('./commands/handover.js');
    const config = await handover(args, process.env);
    if (config === undefined) break;
    const { run } = await import('./commands/run.js');
    await run(config);
    break;
  }
  default: {
    const { configure } = await import('./commands/named-config.js');
    const { run } = await import('./commands/run.js');
    await run(await configure(process.argv.slice(2), process.env));
  }
}
