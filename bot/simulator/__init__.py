"""A strict local Slack: workspaces, their people, and the wire to one app, for demos, tests, and writing workflows.

It refuses what Slack would refuse. It knows Slack's wire alone: nothing of runs, approvals or the engine.

    simulator      the whole as one object: serve it, act as its people, look at what happened
    people         what a workspace's people do, for tests and programs
    demo           a small company; installation: an app as its manifest installs it
    grants, authorizing
                   who has installed the app, and what its tokens are good for
    chaos          what goes wrong by chance; disturbance: on and off
    violations     what the app did that Slack forbids
    model, workspace, changes, seen, wire
                   the state, what changed, and how it looks to the page and to the app
    webapi, args, methods, api_*, rates, calls
                   the Web API: one door for all methods, then the methods
    schema, elements, blockkit
                   Block Kit's rules
    courier, socket_mode, http_delivery, payloads, tickets
                   the way to the app: what is sent, how often, over which transport, and with which permits
    person, shortcuts, forms, values, mentions, answers
                   what people do, what they enter, and what the app's answers do
    page_api, page/
                   the page in the browser and its API
"""
