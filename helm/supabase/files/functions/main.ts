// The main service of the edge runtime: checks the caller's JWT and hands the request to the named function.
// It imports nothing, so that a Pod starts without reaching the internet.
//
// Environment: FUNCTIONS_DIRECTORIES (colon-separated, the first that has the function wins), VERIFY_JWT,
// JWT_SECRET, FUNCTION_MEMORY_MB, FUNCTION_TIMEOUT_MS.

// What the edge runtime adds to Deno.
declare const EdgeRuntime: {
  userWorkers: {
    create(options: {
      servicePath: string;
      memoryLimitMb: number;
      workerTimeoutMs: number;
      noModuleCache: boolean;
      importMapPath: string | null;
      envVars: [string, string][];
    }): Promise<{ fetch(request: Request): Promise<Response> }>;
  };
};

const directories = (Deno.env.get("FUNCTIONS_DIRECTORIES") ?? "/home/deno/functions").split(":");
const verifyJwt = Deno.env.get("VERIFY_JWT") === "true";
const memoryLimitMb = Number(Deno.env.get("FUNCTION_MEMORY_MB") ?? "150");
const workerTimeoutMs = Number(Deno.env.get("FUNCTION_TIMEOUT_MS") ?? "60000");

// The main service's own settings are not a function's business.
const hidden = new Set(["DATABASE_PASSWORD", "JWT_SECRET", "FUNCTIONS_DIRECTORIES"]);
const functionEnvironment = Object.entries(Deno.env.toObject()).filter(([name]) => !hidden.has(name));

function answer(status: number, message: string): Response {
  return new Response(JSON.stringify({ message }), {
    status,
    headers: { "Content-Type": "application/json" },
  });
}

function bytesOf(base64url: string): Uint8Array<ArrayBuffer> {
  const base64 = base64url.replaceAll("-", "+").replaceAll("_", "/");
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

// True for an unexpired HS256 token that was signed with JWT_SECRET.
async function isValid(token: string): Promise<boolean> {
  const [header, payload, signature, ...rest] = token.split(".");
  if (!header || !payload || !signature || rest.length > 0) return false;
  const text = new TextDecoder();
  if (JSON.parse(text.decode(bytesOf(header))).alg !== "HS256") return false;
  const key = await crypto.subtle.importKey(
    "raw",
    new TextEncoder().encode(Deno.env.get("JWT_SECRET") ?? ""),
    { name: "HMAC", hash: "SHA-256" },
    false,
    ["verify"],
  );
  const signed = new TextEncoder().encode(`${header}.${payload}`);
  if (!(await crypto.subtle.verify("HMAC", key, bytesOf(signature), signed))) return false;
  const { exp } = JSON.parse(text.decode(bytesOf(payload)));
  return exp === undefined || (typeof exp === "number" && exp > Date.now() / 1000);
}

async function find(name: string): Promise<string | null> {
  for (const directory of directories) {
    const path = `${directory}/${name}`;
    try {
      if ((await Deno.stat(`${path}/index.ts`)).isFile) return path;
    } catch {
      // Not in this directory.
    }
  }
  return null;
}

Deno.serve(async (request: Request) => {
  const name = new URL(request.url).pathname.split("/")[1];
  if (name === "_health") return answer(200, "ok");
  if (!/^[A-Za-z][A-Za-z0-9_-]*$/.test(name)) return answer(400, "the path must begin with a function's name");

  if (verifyJwt && request.method !== "OPTIONS") {
    const token = request.headers.get("Authorization")?.match(/^Bearer (.+)$/)?.[1];
    if (!token) return answer(401, "missing authorization header");
    if (!(await isValid(token).catch(() => false))) return answer(401, "invalid JWT");
  }

  const servicePath = await find(name);
  if (!servicePath) return answer(404, `no function is named ${name}`);
  try {
    const worker = await EdgeRuntime.userWorkers.create({
      servicePath,
      memoryLimitMb,
      workerTimeoutMs,
      noModuleCache: false,
      importMapPath: null,
      envVars: functionEnvironment,
    });
    return await worker.fetch(request);
  } catch (error) {
    console.error(`function ${name} failed:`, error);
    return answer(500, `function ${name} failed`);
  }
});
