/** The system of the stories of the dashboard: services with one real pilot, and a browser. */
import { freePort } from '@rhizome/mongo';
import { filesFolder, seedStorage, startFileService } from '@rhizome/playground';
import { leftovers, type TestProcess } from '@rhizome/testkit';
import type { Browser, Page } from 'playwright-core';
import type { Api } from '../system/api.js';
import { openPage, startBrowser } from '../system/browser.js';
import { experiment } from '../system/jobs.js';
import { startPilot } from '../system/pilots.js';
import { type ServiceSystem, startServices } from '../system/service-system.js';

export let system: ServiceSystem;
export let browser: Browser;
export let api: Api;
export let origin: string;
export let pilot: TestProcess;
/** Origin of the storage, whose files lie in {@link storedFiles}. */
export let filesOrigin: string;
export let storedFiles: string;

/** Starts the system; call it once, before all stories. */
export async function startStage(): Promise<void> {
  const port = await freePort();
  filesOrigin = `http://127.0.0.1:${port}`;
  const gatewayEnv = { RHIZOME_GATEWAY_FILE_ORIGINS: JSON.stringify([filesOrigin]) };
  system = await startServices({ experiments: [experiment], gatewayEnv });
  api = system.api();
  ({ origin } = new URL(system.url));
  const files = await startFileService(system.data, { port, origins: [origin] });
  leftovers.defer('the file service', () => files.kill());
  storedFiles = filesFolder(system.data);
  await seedStorage(system.client(), filesOrigin);
  browser = await startBrowser();
  pilot = await startPilot(system, {
    name: 'steady',
    args: ['--use-storages', 'true', '--allow-network', '127.0.0.1'],
  });
}

/** A page that has been given a token by its address, as the playground prints it. */
export const signedIn = (path = '/') => openPage(browser, `${origin}${path}#token=${system.token}`);

/** Contrast between a colour of an element and the background of another one, by WCAG. */
export async function contrast(page: Page, front: string, property: string, back: string): Promise<number> {
  const colour = (selector: string, name: string): Promise<readonly number[]> =>
    page.evaluate(`(() => {
      const context = document.createElement('canvas').getContext('2d');
      const element = document.querySelector(${JSON.stringify(selector)});
      context.fillStyle = getComputedStyle(element).getPropertyValue(${JSON.stringify(name)});
      context.fillRect(0, 0, 1, 1);
      return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
    })()`);
  const luminance = (parts: readonly number[]): number => {
    const [r = 0, g = 0, b = 0] = parts.map((part) => {
      const share = part / 255;
      return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const both = [luminance(await colour(front, property)), luminance(await colour(back, 'background-color'))];
  return (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
}
