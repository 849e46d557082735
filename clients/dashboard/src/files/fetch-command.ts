import { visibleText } from '../components/visible-text.js';

/** Command that downloads an output; without its name where a shell may not get it as it is shown. */
export function fetchCommandOf(jobId: string, name: string): string {
  const isShown = visibleText(name) === name && !/[\n\t\\]/.test(name);
  return `rhizome fetch ${jobId}${isShown ? ` '${patternOf(name).replaceAll("'", String.raw`'\''`)}'` : ''}`;
}

/**
 * Pattern for one name. The slash anchors it, and a name that begins with `-` is no option of the command.
 * `?` cannot be escaped in patterns; it stands for itself, too.
 */
function patternOf(name: string): string {
  return `/${name.replace(/[*[\]]| $/g, String.raw`\$&`)}`;
}
