// The realm of the worker process as jest's test environment. What a test file changes for the whole process
// ends with it: mocks, fake timers, the console, environment variables, the working folder.
import { createContext } from 'node:vm';
import { ModernFakeTimers } from '@jest/fake-timers';
import { ModuleMocker } from 'jest-mock';

const { console: ownConsole } = globalThis;
const { exit: ownExit } = process;

/** Jest's `testEnvironment`. */
export default class SharedRealm {
  global = globalThis;
  moduleMocker = new ModuleMocker(globalThis);
  fakeTimers = null;
  /** Variables that the process began with. */
  #variables = { ...process.env };
  #folder = process.cwd();

  constructor({ projectConfig }) {
    this.fakeTimersModern = new ModernFakeTimers({ config: projectConfig, global: globalThis });
  }

  async setup() {}

  async teardown() {
    this.moduleMocker.restoreAllMocks();
    this.fakeTimersModern.dispose();
    globalThis.console = ownConsole;
    process.exit = ownExit;
    for (const name of Object.keys(process.env)) if (!(name in this.#variables)) delete process.env[name];
    Object.assign(process.env, this.#variables);
    if (process.cwd() !== this.#folder) process.chdir(this.#folder);
  }

  exportConditions() {
    return ['node', 'node-addons'];
  }

  /** Jest asks for one, and runs nothing in it: modules are loaded by Node. */
  getVmContext() {
    return createContext();
  }
}
