import { visibleText } from '../components/visible-text.js';

/** Command that downloads an output; without its name where a shell may not get it as it is shown. */
export function fetchCommandOf(jobId: string, name: string): string {
  const isShown = visibleText(name) === name && !/[\n\t]/.test(name);
  return `rhizome fetch ${jobId}${isShown ? ` '${name.replaceAll("'", String.raw`'\''`)}'` : ''}`;
}
