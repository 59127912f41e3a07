/** Environment variables. An empty variable counts as not set: containers and CI files leave many of them empty. */

export function variable(name: string): string | undefined {
  const value = process.env[name]?.trim();
  return value === '' ? undefined : value;
}

/** The variables whose names begin with this, in either case, without empty ones. */
export function variablesBelow(prefix: string): [name: string, value: string][] {
  return Object.keys(process.env)
    .filter((name) => name.toLowerCase().startsWith(prefix))
    .map((name) => [name, variable(name)] as const)
    .filter((pair): pair is [string, string] => pair[1] !== undefined);
}

/** For this process and its child processes. */
export function setVariable(name: string, value: string): void {
  process.env[name] = value;
}

/** Whether a switch is on, read as the hub's own tools read it. */
export function isOn(name: string): boolean {
  return /^(1|on|yes|true)$/i.test(variable(name) ?? '');
}
