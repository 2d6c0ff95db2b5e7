def pytest_addoption(parser):
    parser.addoption("--days", type=int, help="Only so many days of the demonstration.")
    parser.addoption("--kills", type=int, default=50)
    parser.addoption("--seed", type=int, default=0, help="What the moments of the kills are drawn from.")
    parser.addoption("--undisturbed", help="What an undisturbed `mainstay demo` left; one is run if none is named.")
