/** In the browser: one pusher-js and a log of what it saw, for tests to drive and to read. */

/** @type {string[]} `channel event data`, and `state name` of the connection. */
globalThis.seen = [];

/** Connects, as nobody when `userId` is empty. */
globalThis.connect = (port, userId) => {
  const headers = userId === "" ? {} : { Authorization: `Bearer ${userId}` };
  const pusher = new globalThis.Pusher("test-key", {
    cluster: "local",
    wsHost: "127.0.0.1",
    wsPort: port,
    forceTLS: false,
    enabledTransports: ["ws"],
    channelAuthorization: { endpoint: "/channel-auth", transport: "ajax", headers },
    userAuthentication: { endpoint: "/user-auth", transport: "ajax", headers },
  });
  pusher.connection.bind("state_change", ({ current }) => seen.push(`state ${current}`));
  pusher.connection.bind("error", ({ error }) => seen.push(`error ${error?.data?.code}`));
  globalThis.pusher = pusher;
};

globalThis.join = (name) => {
  globalThis.pusher.subscribe(name).bind_global((event, data) => {
    const told = event === "pusher:subscription_succeeded" ? data?.members : data;
    seen.push(`${name} ${event} ${JSON.stringify(told ?? null)}`);
  });
};

globalThis.trigger = (name, event, data) => globalThis.pusher.channel(name).trigger(event, data);

globalThis.signIn = () => {
  globalThis.pusher.user.bind_global((event, data) =>
    seen.push(`user ${event} ${JSON.stringify(data)}`),
  );
  globalThis.pusher.signin();
  return globalThis.pusher.user.signinDonePromise;
};

/** A POST as a page's script makes it: the browser asks for leave first. */
globalThis.post = async (url, body) => {
  const response = await fetch(url, {
    method: "POST",
    body,
    headers: { "Content-Type": "application/json" },
  });
  return `${response.status} ${await response.text()}`;
};
